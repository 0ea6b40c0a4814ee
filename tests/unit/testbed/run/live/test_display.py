"""What a person sees of a run in a terminal, and what is left of it: in a real pseudo-terminal, without a lab."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.processes import DEADLINE_S, awaited
from tests.support.terminal import Terminal

IN_ROOT = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
SHOWING = (sys.executable, "-P", "-m", "tests.support.showing")


def gauges(allocated: int, *, of: int = 256, resting: int = 0, refused: int = 0) -> dict[str, Any]:
    """Return the record of a NAT whose ports are in use, resting or free."""
    row = ["192.0.2.1", "tcp", allocated, of - allocated - resting, resting, 0]
    return {
        "kind": "watched",
        "gateway": "gateway",
        "ports": [row],
        "counters": {"dropped_port_packets": refused, "port_mapping_creations": 300},
    }


PHASES = [{"kind": "phase", "name": "build"}, {"kind": "phase", "name": "fill"}]
FULL = gauges(256, refused=64)


class Shown:
    """A run whose records a test sends, in a terminal."""

    def __init__(self, *options: str, columns: int = 80, rows: int = 24, shell: bool = False, **env: str) -> None:
        theirs, ours = os.pipe()
        command = [*SHOWING, *options]
        self._ours = os.fdopen(ours, "w")
        if shell:
            command = ["bash", "--norc", "--noprofile", "-i"]
        self.terminal = Terminal(
            command, columns=columns, rows=rows, passed=[theirs], RECORDS=str(theirs), PS1="shell> ", **env
        )
        os.close(theirs)

    def send(self, *records: dict[str, Any]) -> None:
        """Send records of the run."""
        for record in records:
            self._ours.write(json.dumps(record) + "\n")
        self._ours.flush()

    def send_all(self, records: list[dict[str, Any]]) -> None:
        """Send records that are more than a pipe has room for: the run takes them all."""
        left = "".join(json.dumps(record) + "\n" for record in records).encode()
        os.set_blocking(self._ours.fileno(), False)

        def is_sent() -> bool:
            nonlocal left
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(self._ours.fileno(), left) :]
            return not left

        awaited(is_sent, "all records to be taken")

    def end(self) -> str:
        """Have the run end, and return all that the terminal shows."""
        self._ours.close()
        assert self.terminal.ended() == 0
        return self.terminal.screen.text

    def close(self) -> None:
        """Leave nothing."""
        self.terminal.close()
        if not self._ours.closed:
            self._ours.close()


Show = Callable[..., Shown]


@pytest.fixture
def show() -> Iterator[Show]:
    """Return what shows a run in a terminal, which is closed after the test."""
    opened: list[Shown] = []

    def show(*options: str, **choices: Any) -> Shown:
        opened.append(Shown(*options, **choices))
        return opened[-1]

    yield show
    for each in opened:
        each.close()


def test_a_terminal_shows_phases_ports_figures_and_events(show: Show) -> None:
    """At one place: nothing is there twice."""
    run = show()
    run.send(*PHASES, gauges(0), {"kind": "progress", "done": 180, "total": 320}, FULL)

    run.terminal.shows("64 packets were refused: no port was free.")
    text = run.terminal.shows("█ 256 in use  ░ 0 free")

    assert text.count("port-exhaustion on openflow") == 1
    assert text.count("✓ build") == 1
    assert "180 of 320" in text
    assert "refused packets 64: no port 64" in text
    assert "192.0.2.1 has no free port (tcp)." in text
    assert run.terminal.screen.unknown == set()


def test_a_prompt_has_the_terminal_below_the_picture_which_goes_on_below_the_prompt(show: Show) -> None:
    """What happens meanwhile is drawn when the prompt is over."""
    run = show()
    run.send(*PHASES, FULL)
    run.terminal.shows("█ 256 in use  ░ 0 free")

    run.send({"kind": "prompt"}, gauges(100), {"kind": "prompt_ended"})

    text = run.terminal.shows("█ 100 in use  ░ 156 free")
    above, _, below = text.partition("prompt\nprompt_ended\n")
    assert "256 in use" in above
    assert "100 in use" in below
    assert text.count("port-exhaustion on openflow") == 2


def test_what_stays_is_the_phases_and_the_cursor(show: Show) -> None:
    """The picture gives way to what the run has found."""
    run = show()
    before = run.terminal.modes
    run.send(*PHASES, FULL)
    run.terminal.shows("refused packets 64")
    assert not run.terminal.screen.has_cursor

    lines = run.end().splitlines()

    assert [line.split("  ")[0].strip() for line in lines[:3]] == [
        "port-exhaustion on openflow",
        "✓ build",
        "✓ fill",
    ]
    assert lines[3].startswith("ERROR  port-exhaustion on openflow")
    assert run.terminal.screen.has_cursor
    assert run.terminal.modes_now() == before


def test_ctrl_c_leaves_the_terminal_as_it_was(show: Show) -> None:
    """The cursor is there again, below the picture, and echo is on."""
    run = show()
    before = run.terminal.modes
    run.send(*PHASES, FULL)
    run.terminal.shows("refused packets 64")

    run.terminal.type("\x03")

    run.terminal.shows("interrupted by SIGINT")
    assert run.terminal.ended() == 0
    assert run.terminal.screen.has_cursor
    assert run.terminal.modes_now() == before


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_draws_anew(show: Show) -> None:
    """While it is stopped, and in the background, it writes nothing; what the shell has printed stays."""
    run = show(shell=True)
    run.terminal.shows("shell>")
    run.terminal.type(" ".join(SHOWING) + "\n")
    run.send(*PHASES, gauges(100))
    run.terminal.shows("100 in use")

    run.terminal.type("\x1a")
    run.terminal.shows("Stopped")
    assert run.terminal.screen.has_cursor
    run.send(FULL)
    run.terminal.type("echo in between; bg; read -t 0.4; echo behind\n")
    run.terminal.shows("\nbehind")
    run.terminal.type("fg; echo status $?\n")

    text = run.terminal.shows("256 in use")
    assert "\nin between\n" in text
    assert text.count("256 in use") == 1
    assert not run.terminal.screen.has_cursor
    run._ours.close()
    run.terminal.shows("status 0")
    assert run.terminal.screen.has_cursor


@pytest.mark.parametrize("instant", ["changing", "drawing"])
def test_ctrl_z_stops_a_run_at_any_instant(instant: str) -> None:
    """It waits neither for a change that it has interrupted, nor for ever for a terminal that takes nothing."""
    command = [sys.executable, "-P", "-m", "tests.support.stopping", instant]
    done = subprocess.run(
        command, cwd=ROOT, env=IN_ROOT, start_new_session=True, stdout=subprocess.PIPE, timeout=DEADLINE_S
    )

    assert done.stdout == b"went on\n"


@pytest.mark.parametrize(("columns", "rows"), [(40, 24), (40, 6), (80, 3), (80, 1), (20, 2), (5, 24)])
def test_a_picture_is_never_larger_than_the_terminal(show: Show, columns: int, rows: int) -> None:
    """It is redrawn in its place: a picture that scrolled would leave its upper lines behind."""
    run = show(columns=columns, rows=rows)
    for number in range(1, 4):
        run.send({"kind": "phase", "name": f"p{number}"}, FULL)
        run.terminal.shows(f"> p{number}" if columns > 5 else ">")

    text = run.terminal.screen.text
    assert len(text.splitlines()) <= rows
    assert text.count("> p") <= 1


def test_a_terminal_that_gets_narrower_is_drawn_anew_in_the_same_place(show: Show) -> None:
    """Most terminals fold the lines that are too long by then: they are more, and all are erased."""
    run = show()
    run.send(*PHASES, {"kind": "progress", "done": 180, "total": 320}, FULL)
    run.terminal.shows("256 in use")

    run.terminal.resize(40, 24)
    run.send(gauges(200))
    run.terminal.shows("200 in use")
    run.terminal.resize(100, 24)
    run.send(gauges(100))
    text = run.terminal.shows("100 in use")

    assert text.count("✓ build") == 1
    assert text.count("in use") == 1
    assert text.count("180 of 320") == 1


def test_a_locale_without_utf_8_gets_ascii(show: Show) -> None:
    """Bars as well, whose parts differ by their patterns."""
    run = show(LC_ALL="C")
    run.send(*PHASES, gauges(128, resting=64))

    text = run.terminal.shows("# 128 in use  = 64 resting  . 64 free")

    assert "##====" in text
    assert run.terminal.written.isascii()
    assert run.end().isascii()


def test_no_color_has_no_colour_and_the_same_patterns(show: Show) -> None:
    """Only bold and dim are left."""
    run = show(NO_COLOR="1")
    run.send(*PHASES, gauges(128, resting=64))

    run.terminal.shows("█ 128 in use  ▒ 64 resting  ░ 64 free")

    codes = {
        code for part in run.terminal.written.split("\x1b[")[1:] for code in part.partition("m")[0].split(";")
    }
    assert not codes & {str(code) for code in [*range(30, 39), *range(40, 49), *range(90, 98)]}


@pytest.mark.parametrize(
    ("options", "variables"), [((), {"TERM": "dumb"}), (("--no-live",), {})], ids=["TERM=dumb", "--no-live"]
)
def test_lines_have_no_control_characters(show: Show, options: tuple[str, ...], variables: dict[str, str]) -> None:
    """A line for the run, for each phase, and for the verdict."""
    run = show(*options, **variables)
    run.send(*PHASES, FULL)

    lines = run.end().splitlines()

    assert "\x1b" not in run.terminal.written
    assert [line.split("  ")[-1] for line in lines[:-1]] == [
        "port-exhaustion on openflow",
        "build",
        "fill",
        "verdict: error",
    ]


@pytest.mark.parametrize(("options", "lines"), [((), 4), (("--json",), 0), (("--json", "--live"), 4)], ids=str)
def test_without_a_terminal_there_are_lines_but_not_beside_json(options: tuple[str, ...], lines: int) -> None:
    """Unless they are asked for."""
    ours, theirs = os.pipe()
    os.write(theirs, "".join(json.dumps(record) + "\n" for record in PHASES).encode())
    os.close(theirs)
    done = subprocess.run(
        [*SHOWING, *options],
        cwd=ROOT,
        env={**os.environ, "RECORDS": str(ours), "FORCE_COLOR": "1"},
        pass_fds=[ours],
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(ours)

    assert len(done.stderr.splitlines()) == lines
    assert "\x1b" not in done.stderr


def test_a_terminal_that_takes_nothing_holds_no_run(show: Show) -> None:
    """Ctrl-S stops what is written to it. All records are taken meanwhile, however many there are."""
    run = show()
    run.send(*PHASES)
    run.terminal.shows("> fill")

    run.terminal.type("\x13")
    run.send_all([{"kind": "progress", "done": number, "total": 20_000} for number in range(20_000)])
    run.terminal.type("\x11")

    assert "✓ fill" in run.end()


def test_a_terminal_that_is_gone_fails_no_run() -> None:
    """As under nohup, which has SIGHUP ignored: what is left to write goes nowhere."""
    records, ours = os.pipe()
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        SHOWING,
        cwd=ROOT,
        env={**os.environ, "RECORDS": str(records), "TERM": "xterm"},
        pass_fds=[records],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    os.close(records)
    with os.fdopen(ours, "w") as file:
        print(*map(json.dumps, PHASES), sep="\n", file=file, flush=True)
        awaited(lambda: b"fill" in os.read(terminal, 65536), "the picture")
        os.close(terminal)
        print(json.dumps(FULL), file=file, flush=True)

    assert process.communicate(timeout=DEADLINE_S)[0].startswith("ERROR  port-exhaustion on openflow")
    assert process.returncode == 0


def test_what_a_stranger_sends_can_neither_break_a_picture_nor_control_a_terminal(show: Show) -> None:
    """Names of phases and claims are anybody's; so are gauges, which may be anything."""
    run = show()
    run.send(
        {"kind": "phase", "name": "\x1b[2Jfill\nmore"},
        {"kind": "progress", "done": "many", "total": None},
        {"kind": "watched", "gateway": "g", "ports": [["a", "tcp", "many"], 7], "counters": "none"},
        {"kind": "watched", "gateway": "g", "ports": [["a", "tcp", -5, 10**30]], "counters": {"x": []}},
        {"kind": "check", "check": {"claim": "\x1b]0;title\x07", "ok": False}},
    )

    run.terminal.shows("FAILED")

    run.send(gauges(200))
    run.terminal.shows("200 in use")
    assert run.terminal.screen.unknown == set()
