"""Show records, one on a line, as a run is shown, and print its last line when they end.

    python -m tests.support.showing [--json] [--live | --no-live]

The records come from the descriptor in `RECORDS`. With `PLACE`, the run is one of several.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from testbed.run.choices import Choices
from testbed.run.console import fit_locale
from testbed.run.interruptions import USUAL, Interrupted
from testbed.run.launch import PROMPTS
from testbed.run.live.display import manner, shown
from testbed.run.live.view import RunView
from testbed.run.resolve import resolve
from testbed.run.results import Result
from testbed.run.terminal import in_short
from tests.support.processes import awaited


def looked(display: Any) -> Callable[[], bool]:
    """Return what tells whether a display that writes by itself has looked twice since."""
    looks: list[float] = []
    wait = display._is_over.wait

    def counted(seconds: float) -> bool:
        looks.append(seconds)
        return bool(wait(seconds))

    display._is_over.wait = counted
    return lambda: len(looks) > 2


def main() -> None:
    """Show them."""
    fit_locale()
    options = sys.argv[1:]
    live = True if "--live" in options else False if "--no-live" in options else None
    records = os.fdopen(int(os.environ["RECORDS"]))
    result = Result(resolve("port-exhaustion", "openflow", Choices(), datapath="userspace"))
    view = RunView("port-exhaustion on openflow", place=os.environ.get("PLACE", ""))
    USUAL.install()
    try:
        with shown(view, manner(live=live, as_json="--json" in options)) as display:
            USUAL.heed()
            looks_again = None
            for line in records:
                record = json.loads(line)
                result.take(record)
                if record["kind"] in PROMPTS:
                    display.be_silent(record["kind"] == PROMPTS[0])
                    print(record["kind"], flush=True)
                    looks_again = looked(display)
                elif looks_again is not None:
                    display.change(lambda now, record=record: view.take(record, now))
                    awaited(looks_again, "the display to look twice")
                display.change(lambda now, record=record: view.take(record, now))
            display.change(lambda now: view.end(result, now))
    except Interrupted as interruption:
        print(f"interrupted by {interruption}", flush=True)
        return
    print(in_short(result, "out"), flush=True)


if __name__ == "__main__":
    main()
