"""The command that opens a prompt in a lab: shell."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.command import completing
from testbed.command.options import RunOptions, with_run_options

if TYPE_CHECKING:
    from testbed.experiment.plan import Run
    from testbed.run.folder import Folder
    from testbed.run.results import Result

app = typer.Typer()


@app.command()
@with_run_options(without=("topology", "live", "junit"))
def shell(
    topology: Annotated[
        str,
        typer.Argument(
            help="A name from `lastport list topologies`, or FILE.py[:Class].",
            metavar="TOPOLOGY",
            autocompletion=completing.named("topologies"),
        ),
    ],
    *,
    gateway: Annotated[
        list[str] | None,
        typer.Option(
            "--gateway",
            "-g",
            help="The NAT: a name, or FILE.py:Class; by default openflow. GATEWAY=NAME is for one of several "
            "gateways. May be repeated.",
            metavar="NAME",
            autocompletion=completing.named("gateways"),
        ),
    ] = None,
    options: RunOptions,
) -> None:
    """Open Mininet's prompt in a network, with words that look into its NAT and change it.

    Without a terminal, lines come from standard input, and the exit status is 1 if one of them failed.
    """
    from testbed.report.writing import keep_run
    from testbed.run import doctor
    from testbed.run.conversation import conversation
    from testbed.run.launch import carry_out
    from testbed.run.resolve import resolve
    from testbed.run.sides import kinds_in

    usual, kinds = kinds_in(gateway or (), usual="openflow")
    choices = replace(options.choices, topology=topology, kinds=kinds, by_command=True)
    plan = resolve("shell", usual, choices, datapath=doctor.datapath())
    doctor.require(plan.sockets, needs=plan.needs)
    is_kept = options.out is not None or options.pcap
    with options.watching() as watch, _folder(plan, options.out, is_kept=is_kept) as folder:
        with conversation() as prompt:
            result, written = carry_out(plan, folder, pcap=options.pcap, watch=watch, guest=prompt)
        unkept = keep_run(folder, written) if is_kept and not result.unkept else ""
        for reason in filter(None, (result.unkept, result.unrecorded if is_kept else "", unkept)):
            print(f"lastport: {reason}", file=sys.stderr)
        _tell(result, f"; what is kept of it is in {folder.path}" if is_kept else "")
    raise typer.Exit(result.status)


@contextlib.contextmanager
def _folder(plan: Run, out: Path | None, *, is_kept: bool) -> Iterator[Folder]:
    """Give the folder for the recording, the results and captures: one that stays, or one that goes."""
    from testbed.run.folder import Folder
    from testbed.run.opening import opened_for_results

    if is_kept:
        yield opened_for_results(out, [plan.scenario, plan.gateway], plan.chosen)
        return
    with tempfile.TemporaryDirectory(prefix="lastport-") as path:
        yield Folder(Path(path))


def _tell(result: Result, kept: str) -> None:
    """Print what a person has to know when the prompt is over: nothing, if nothing is wrong or kept."""
    failed = [f"{each['claim']}: {each['observed']}" for each in result.checks if not each["ok"]]
    if result.error:
        print(f"lastport: {result.error}{kept}", file=sys.stderr)
        if result.last_words:
            print(result.last_words, file=sys.stderr)
    elif failed:
        print(f"lastport: {'; '.join(failed)}{kept}", file=sys.stderr)
    elif kept:
        print(f"lastport: the prompt is over{kept}", file=sys.stderr)
