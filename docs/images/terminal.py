"""Draw `terminal.svg`, the terminal during a run: `sudo vagrant/python docs/images/terminal.py`.

It is a real run, whose records are kept with their times. The picture is that of an instant of it: of the one that
has the most to show.
"""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from testbed.run import doctor
from testbed.run.choices import Choices
from testbed.run.launch import follow
from testbed.run.live.screen import Size, frame
from testbed.run.live.watched import Watched
from testbed.run.naming import title
from testbed.run.resolve import resolve

FILE = Path(__file__).with_suffix(".svg")
SIZE = Size(81, 24)


def main() -> None:
    """Run it, and write the file."""
    plan = resolve("port-exhaustion", "openflow", Choices(), datapath=doctor.datapath())
    records: list[tuple[float, dict[str, Any]]] = []
    follow(plan, lambda record: records.append((time.monotonic(), record)), captures={}, is_watched=True)
    FILE.write_text(svg(best_frame(Watched(title(plan.scenario, plan.gateway, plan.chosen)), records)))


def best_frame(run: Watched, records: list[tuple[float, dict[str, Any]]]) -> list[Text]:
    """Return the picture of the instant that has the most to show."""
    most, best = -1, [Text()]
    for now, record in records:
        run.since(now)
        run.take(record, now)
        if (shown := richness(run)) > most:
            most, best = shown, frame(run, SIZE, now)
    return best


def richness(run: Watched) -> int:
    """Return the number of states that ports are in, and of refusals and progress, as far as they are shown."""
    states = [count for _, each in run.ports for count in (each.allocated, each.resting, each.free) if count]
    refused = [nat for nat in run.nats.values() if nat.refusals]
    progress = [phase for phase in run.phases[-1:] if 0 < phase.done < phase.total]
    return 3 * len(states) + 2 * len(refused) + len(progress)


def svg(lines: list[Text]) -> str:
    """Return lines as an SVG of a terminal, without the fonts that Rich would load from elsewhere."""
    console = Console(record=True, width=SIZE.width, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, no_wrap=True)
    text = console.export_svg(title="sudo ./lastport run port-exhaustion", unique_id="lastport")
    text = re.sub(r"@font-face \{.*?\}\s*", "", text, flags=re.DOTALL)
    return text.replace("Fira Code", "DejaVu Sans Mono")


if __name__ == "__main__":
    main()
