"""The command that runs a user's own programs: exec."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from testbed.command import completing
from testbed.command.options import RunOptions, with_run_options

app = typer.Typer()

FAILED = 125
"""The exit status where lastport itself failed: all others are the program's. As with `env` and `timeout`."""


WRONG = 2
"""The exit status of every other command with wrong options."""


class Executing(TyperCommand):
    """A command whose wrong options end as failures of lastport itself do. `--at` takes two words."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for each in self.params:
            if each.name == "at":
                each.nargs = 2  # which typer has no words for, where an option may be repeated

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """Read the options."""
        try:
            return super().make_context(*arguments, **more)
        except Exception as error:
            if getattr(error, "exit_code", None) == WRONG:
                error.exit_code = FAILED  # type: ignore[attr-defined] # typer's class of it has no public name
            raise


@app.command(name="exec", cls=Executing, context_settings={"allow_interspersed_args": False})
@with_run_options(without=("live", "junit"))
def execute(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="A program with its arguments, for the first host inside, alice.", metavar="COMMAND"),
    ] = None,
    *,
    at: Annotated[
        list[Any] | None,
        typer.Option(
            "--at",
            help="Also run a command on this host, by a shell. May be repeated.",
            metavar="HOST COMMAND",
        ),
    ] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option(
            "--gateway",
            "-g",
            help="The NAT in front of it: a name, or FILE.py:Class; by default openflow. GATEWAY=NAME is for one "
            "of several gateways. May be repeated.",
            metavar="NAME",
            autocompletion=completing.named("gateways"),
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--as", help="The user that programs run as: by default you, also by sudo.", metavar="USER"),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Let programs write only in the current folder.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(help="End programs after this time, with status 124.", metavar="SECONDS", min=0.001, max=1e9),
    ] = None,
    session: Annotated[
        bool, typer.Option("--session", help="Take orders as lines of JSON, as lastport_pytest.py sends them.")
    ] = False,
    options: RunOptions,
) -> None:
    """Run your own program behind the NAT that you choose: its output, its status.

    Hosts outside offer echo, HTTP, DNS, STUN and iperf3. Such as: lastport exec -- curl http://server/10M -o file
    """
    import os
    import sys

    from controller.settings import ConfigurationError
    from testbed.exec.carrying import exec_in
    from testbed.exec.conducting import Conductor, Surroundings
    from testbed.exec.session import Session
    from testbed.exec.wanted import as_user, current_folder, environment, require_hosts, user_of, wanted
    from testbed.report.writing import keep_run
    from testbed.run import doctor
    from testbed.run.opening import opened_for_results
    from testbed.run.resolve import resolve
    from testbed.run.sides import kinds_in
    from testbed.sandbox.enter import MachineError

    try:
        if session and (at or command or timeout):
            raise ConfigurationError(
                "--session takes its programs from standard input; take it without COMMAND, --at and --timeout"
            )
        asked, who = [] if session else wanted(at or [], command or []), user_of(user)
        usual, kinds = kinds_in(gateway or (), usual="openflow")
        choices = replace(options.choices, kinds=kinds, by_command=True)
        plan = resolve("exec", usual, choices, datapath=doctor.datapath())
        doctor.require(plan.sockets, needs=plan.needs)
        require_hosts(plan, asked)
        surroundings = Surroundings(environment(os.environ, who), current_folder(), as_user(who), read_only)
        with options.watching() as watch:
            folder = opened_for_results(options.out, [plan.scenario, plan.gateway], plan.chosen)
            if session:
                conductor: Conductor = Session(surroundings, folder.path)
            else:
                conductor = Conductor(asked, surroundings, folder.path, timeout=timeout)
            status, written = exec_in(plan, folder, conductor, pcap=options.pcap, watch=watch)
            if isinstance(conductor, Session):
                conductor.tell(
                    results=str(folder.path),
                    account=written["series"]["account"],
                    checks=written["checks"],
                    error=written.get("error", ""),
                )
        if not written.get("unkept") and (reason := keep_run(folder, written)):
            print(f"lastport: {reason}", file=sys.stderr)
    except (ConfigurationError, MachineError) as error:
        print(f"lastport: {error}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    raise typer.Exit(status)
