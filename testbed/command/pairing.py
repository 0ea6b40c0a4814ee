"""`lastport compare SCENARIO --pairs`: every pair of behaviours on the two sides of a question, as one matrix."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.settings import ConfigurationError
from testbed.command.options import RunOptions
from testbed.compare import comparison, matrix
from testbed.compare.carrying import carry_out_all
from testbed.compare.pairs import Pair, plans, sides
from testbed.report.junit import junit
from testbed.report.writing import keep_comparison, keep_run
from testbed.run.beside import Beside
from testbed.run.console import kept_besides, new_console
from testbed.run.exit_status import ExitStatus
from testbed.run.opening import opened_for_results

USUAL = "openflow"


def compare_pairs(
    scenario: str | None, gateways: str | None, options: RunOptions, beside: Sequence[Beside], *, as_json: bool
) -> tuple[ExitStatus, Iterable[str]]:
    """Run every pair and show the matrix; return the exit status, and why something could not be kept.

    `beside` are the files for a page of Markdown and for JUnit's XML.
    """
    if scenario is None:
        raise ConfigurationError("--pairs is not possible with --all: give one SCENARIO, such as hole-punching")
    if options.is_watched:
        raise ConfigurationError("--pairs is not possible with --web: several runs go on at once; leave one out")
    both = sides(scenario, comparison.names(USUAL if gateways is None else gateways))
    planned = plans(options.choices, scenario, both)
    pairs = [Pair(*each) for each in zip((pair.behaviours for pair in planned), able(planned), strict=True)]
    if options.out:
        comparison.require_free(options.out, [pair.folder for pair in pairs])
    for each in beside:
        each.open()
    kinds = {side.gateway: side.kind for side in both if side.kind != USUAL}
    folder = opened_for_results(options.out, ["pairs", scenario], kinds)

    def progress(done: int, pair: Pair, run: Mapping[str, Any]) -> None:
        if not as_json:
            names, seconds = " and ".join(pair.behaviours), run.get("duration_s", 0.0)
            print(f"{done} of {len(pairs)}: {names}: {run['verdict']}, {seconds:.1f} s", file=sys.stderr)

    done = carry_out_all(both, pairs, folder, pcap=options.pcap, report=_reported, progress=progress)
    names = [" and ".join(cell["behaviours"]).replace("/", "-") for cell in done.told["pairs"]["cells"]]
    texts = (lambda: matrix.page(done.told), lambda: junit(done.told["runs"], names))
    unkept = [done.unkept, *(each.keep(text) for each, text in zip(beside, texts, strict=True))]
    if not done.unkept:
        _mention(keep_comparison(folder, done.told))
    with kept_besides(matrix.in_short(done.told, str(folder.path))):
        if as_json:
            print(json.dumps(done.told))
        else:
            matrix.show(new_console(), done.told, left_out=done.left_out, folder=str(folder.path))
    return done.status, unkept


def able(planned: Sequence[Pair]) -> list[comparison.Planned]:
    """Return the runs that this machine can carry out, and why it cannot carry out the others."""
    return comparison.able([pair.planned for pair in planned])


def _reported(*written: Any) -> None:
    _mention(keep_run(*written))


def _mention(reason: str) -> None:
    if reason:
        print(f"lastport: {reason}", file=sys.stderr)
