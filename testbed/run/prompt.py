"""`lastport mn`: Mininet's own command in a sandbox, on the user's terminal.

    prompt   (outside)           examines the machine, enters the sandbox, and waits
      inside (the runner)        starts the private Open vSwitch, then Mininet's command
        main (Mininet's `mn`)    has the terminal: the prompt, or the tests of `--test`

Ctrl-C reaches all three. It is for Mininet, which ends the command that a host runs, so the other two ignore it.
Whatever Mininet leaves is gone with the sandbox. So its own clean-up never runs: it kills processes by name, and
deletes files in /tmp, which is the machine's. For the same reason it sets no limits of the kernel (`sysctl`).
"""

from __future__ import annotations

import runpy
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from typing import Any

from testbed.run.exit_status import ExitStatus
from testbed.sandbox.enter import MachineError, enter
from testbed.sandbox.records import Channel
from testbed.sandbox.supervision import Supervisor

RUNNER = "testbed.run.prompt:inside"
NOTHING_TO_CLEAN_UP = "*** Nothing to clean up: the network was in a sandbox, which ends now.\n"


def prompt(arguments: Sequence[str]) -> int:
    """Run Mininet's command in a sandbox; return its exit status. Raises MachineError if it cannot begin."""
    from testbed.run.doctor import datapath, require

    require(sockets=0)
    program = shutil.which("mn")
    if program is None:
        raise MachineError("Mininet's command mn is not installed; with Debian: apt-get install mininet")
    job = {"program": program, "arguments": list(arguments), "datapath": datapath()}
    signal.signal(signal.SIGINT, _ignore)
    modes = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    status: int = ExitStatus.BROKE
    for record in enter(job, RUNNER, on_terminal=True):
        if record["kind"] == "done":
            status = record["status"]
        elif record["kind"] == "broken":
            if modes is not None:  # Mininet's prompt may have left the terminal without echo
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, modes)
            print(f"lastport: {record['reason']}", record["last_words"], sep="\n", file=sys.stderr)
    return status


def inside(job: dict[str, Any], channel: Channel, supervisor: Supervisor) -> None:
    """Start Open vSwitch, run Mininet's command to its end, and send its exit status to the launcher."""
    from testbed.sandbox import openvswitch

    signal.signal(signal.SIGINT, _ignore)
    try:
        openvswitch.start(supervisor)
    except openvswitch.OpenVSwitchError as error:
        supervisor.fail(str(error), "")
    command = [sys.executable, "-P", "-m", __name__, job["datapath"], job["program"], *job["arguments"]]
    status = subprocess.run(command, check=False).returncode
    channel.send("done", status=status if status >= 0 else 128 - status)
    supervisor.over()


def main() -> None:
    """Be Mininet's command, with our datapath, and without what it does to the machine."""
    import mininet.clean
    import mininet.util
    from mininet.log import output

    from topologies.gateways.plain import Plain

    _, datapath, program, *arguments = sys.argv
    Plain.datapath = "kernel" if datapath == "kernel" else "userspace"
    mininet.clean.cleanup = lambda: output(NOTHING_TO_CLEAN_UP)
    mininet.util.sysctlTestAndSet = lambda _name, _limit: None
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


def _ignore(_number: int, _frame: object) -> None:
    """Handle Ctrl-C by nothing: unlike SIG_IGN, a handler is not inherited by the programs that are started."""


if __name__ == "__main__":
    main()
