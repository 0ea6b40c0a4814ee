"""Mininet's prompt with the words of this subject: its own words stay as they are.

Lines come from a terminal, with completion and a history that lasts as long as the prompt does, or from a script.
In a script, a line fails if its word is refused, if Mininet complains, or if a host's command has another exit
status than 0. The lines after it are carried out all the same.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any

from mininet.cli import CLI
from mininet.log import lg, setLogLevel

from controller.settings import ConfigurationError
from testbed.experiment.experiment import Experiment
from testbed.shell import attempts, completing, look, nat, why, wireshark
from testbed.shell.refused import RefusedError
from testbed.shell.standing import Standing
from testbed.traffic.drive import TrafficError
from topologies.gateways.base import GatewayError

STATUS = "lastport_status"
"""The variable of a host's shell that has the exit status of the last command of a script."""
LOOKS = frozenset(
    [
        *[
            "EOF",
            "exit",
            "quit",
            "help",
            "?",
            "nodes",
            "net",
            "dump",
            "links",
            "intfs",
            "ports",
            "why",
            "wireshark",
        ],
        *("", "nat", "nat status", "nat ports", "nat mappings", "nat events"),
    ]
)
"""The words that change nothing. Any other may."""
GREETING = (
    "Mininet's prompt. `help` lists its words, among them nat, open, close, why and wireshark. Ctrl-D ends it."
)
LONGEST = 1 << 16
"""The characters of a line in a script that is too long to be one."""
REFUSALS = (RefusedError, ConfigurationError, GatewayError, TrafficError)


class Prompt(CLI):  # type: ignore[misc] # Mininet has no types
    """The prompt. To make one is to run it to its end; `failed` has the lines of a script that failed."""

    helpStr = (  # noqa: N815 (Mininet's name)
        CLI.helpStr + "Words about the NAT, each with `help WORD`:\n"
        "  nat status | ports | mappings [HOST] | events [-f]\n"
        "  nat set KEY VALUE | release MAPPING|HOST|all\n"
        "  open HOST SERVER N [tcp|udp]     close HOST [N]\n"
        "  why HOST                         wireshark HOST|inside|outside\n"
    )

    def __init__(self, standing: Standing, x: Experiment[Any], *, script: int | None) -> None:
        """Take lines from a terminal, which is standard input, or from an open file with a script."""
        self._standing, self._x = standing, x
        self._words = nat.Nat(standing, x)
        self._attempts = attempts.Attempts(x)
        self.failed: list[str] = []
        self._script = script
        self._complained = False
        _speak(self._complain)
        with contextlib.ExitStack() as files:
            typed = sys.stdin if script is None else files.enter_context(_silence())
            super().__init__(x.lab.nodes, stdin=typed, stdout=sys.stdout)

    @classmethod
    def initReadline(cls) -> None:  # noqa: N802 (Mininet's name)
        """Read and write no file: the history is the prompt's alone."""

    def run(self) -> None:
        """Carry out lines until they end."""
        if self.isatty():
            print(GREETING, flush=True)
            super().run()
            return
        assert self._script is not None
        with open(self._script, errors="backslashreplace") as lines:
            while line := lines.readline(LONGEST):
                if len(line) == LONGEST:
                    self.failed.append(line)
                    self._complain(f"a line has at most {LONGEST - 1:,} characters; take a file of lines\n")
                    break
                if self.onecmd(self.precmd(line.strip())):
                    break

    def onecmd(self, line: str) -> Any:
        """Carry out one line, and note whether it failed. What is refused costs a sentence."""
        self._complained = False
        if not looks(line):
            self._standing.changes.append(line)
        try:
            stop = super().onecmd(line)
        except REFUSALS as error:
            stop = False
            self._complain(f"{error}\n")
        except BrokenPipeError:  # nobody reads the answers
            stop = True
        except Exception as error:  # of a word of Mininet's, which ends no lab
            stop = False
            self._complain(f"*** {type(error).__name__}: {error}\n")
        if self._complained:
            self.failed.append(line)
        return stop

    def default(self, line: str) -> None:
        """Run a host's command, and look at its exit status if this is a script."""
        first, arguments, _ = self.parseline(line)
        if self.isatty() or first not in self.mn or not arguments or arguments.rstrip().endswith("&"):
            super().default(line)
            return
        super().default(f"{line} ; {STATUS}=$?")
        self._complained |= self.mn[first].cmd(f"echo ${STATUS}").strip() != "0"

    def completenames(self, text: str, *ignored: Any) -> list[str]:
        """Return the words and nodes that begin so."""
        return sorted([*super().completenames(text, *ignored), *completing.begun(text, self.mn)])

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            print(line, flush=True)

    def _complain(self, text: str) -> None:
        self._complained = True
        sys.stdout.flush()
        print(text, end="", file=sys.stderr, flush=True)

    # Words

    def do_nat(self, line: str) -> None:
        """Look into the NAT, or change it.

        nat status            settings that are no default, what is in use, and what was refused
        nat ports             the ports of each external address, by their state
        nat mappings [HOST]   the table, or a host's part of it
        nat events [-f]       what happened last; with -f, what happens until Ctrl-C
        nat set KEY VALUE     change a setting; GATEWAY.KEY for one of several NATs
        nat release WHAT      end mappings: `all`, those of a HOST, or one: [tcp|udp|icmp] ADDRESS:PORT
        """
        self._say(self._words.carry_out(_split(line), follows=self.isatty()))

    def complete_nat(self, text: str, line: str, begin: int, _end: int) -> list[str]:
        """Complete a word of `nat`."""
        return completing.nat(text, line[:begin].split()[1:], self._x)

    def do_open(self, line: str) -> None:
        """Open connections from an inside host to a server, and keep them open: open HOST SERVER N [tcp|udp]."""
        self._say(self._attempts.open(*_split(line)))

    def complete_open(self, text: str, line: str, begin: int, _end: int) -> list[str]:
        """Complete an argument of `open`."""
        return completing.opening(text, line[:begin].split()[1:], self._x)

    def do_close(self, line: str) -> None:
        """Close the newest N connections that `open` made from a host, by default all: close HOST [N]."""
        self._say(self._attempts.close(*_split(line)))

    def complete_close(self, text: str, line: str, begin: int, _end: int) -> list[str]:
        """Complete an argument of `close`."""
        return completing.clients(text, line[:begin].split()[1:], self._x)

    def do_why(self, line: str) -> None:
        """Why was a host's last attempt refused: which limit, which rule, which counter? why HOST."""
        self._say(why.why(_split(line), self._standing, self._x, self._attempts))

    complete_why = complete_close

    def do_wireshark(self, line: str) -> None:
        """Show the packets of a HOST, of all hosts `inside`, or of all `outside`: live, or in a file."""
        self._say(wireshark.wireshark(_split(line), self._x))

    def complete_wireshark(self, text: str, line: str, begin: int, _end: int) -> list[str]:
        """Complete the argument of `wireshark`."""
        return completing.begun(text, ["inside", "outside", *look.hosts(self._x)])


@contextlib.contextmanager
def _silence() -> Iterator[IO[str]]:
    """Give an input that neither has anything nor ends: Mininet looks there for what a command on a host reads."""
    nothing, never = os.pipe()
    with open(nothing) as silent, open(never, "w"):
        yield silent


class _Complaints(logging.Handler):
    """Hands on what Mininet complains about."""

    def __init__(self, complain: Any) -> None:
        super().__init__(logging.ERROR)
        self._complain = complain

    def emit(self, record: logging.LogRecord) -> None:
        self._complain(record.getMessage())


def _speak(complain: Any) -> None:
    """Have Mininet print its answers on standard output, where a script's reader looks for them."""
    setLogLevel("output")
    for handler in lg.handlers:
        handler.setStream(sys.stdout)
        handler.addFilter(lambda record: record.levelno < logging.ERROR)
    lg.addHandler(_Complaints(complain))


def looks(line: str) -> bool:
    """Whether a line only looks."""
    words = line.split()
    return " ".join(words[:2] if words[:1] == ["nat"] else words[:1]) in LOOKS


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise RefusedError(f"{line}: {error}") from None
