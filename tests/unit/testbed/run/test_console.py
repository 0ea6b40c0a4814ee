"""What is printed fits the terminal: its locale, and its user's wish for no colour."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from rich.console import Console

from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.results import Result
from testbed.run.terminal import conclude
from tests.support.paths import ROOT

SHOWN = """
from testbed.run.console import fit_locale, new_console
fit_locale()
from rich.box import ROUNDED
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
table = Table(box=ROUNDED)
table.add_row(Text("H\\xe4t\\xf6nen \\u2713 \\u201cquoted\\u201d \\u2026 \\u2192 \\u4e2d", style="bold red"))
out = new_console()
out.print(table)
out.print(Spinner("dots").render(0.0))
print("plainly: \\xe9")
"""


def printed(**variables: str) -> str:
    """Return what a program writes with these environment variables."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run([sys.executable, "-c", SHOWN], env=environment, capture_output=True, check=True)
    return done.stdout.decode()


def in_a_terminal(**variables: str) -> str:
    """Return what a program writes to a terminal with these environment variables."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **variables}
    subprocess.run([sys.executable, "-c", SHOWN], env=environment, stdout=theirs, check=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # it was read to its end
            os.close(ours)
            return shown.decode()


def test_in_a_locale_without_utf_8_everything_is_ascii() -> None:
    """Boxes, spinner, letters and marks: each is the nearest that there is."""
    text = printed(LC_ALL="C")

    assert text.isascii()
    assert 'Hatonen + "quoted" ... -> ?' in text
    assert "+--" in text
    assert text.splitlines()[-2:] == ["|", "plainly: e"]


def test_in_a_locale_with_utf_8_nothing_is_replaced() -> None:
    """As it was written."""
    text = printed(LC_ALL="C.UTF-8")

    assert "Hätönen ✓ “quoted” … → 中" in text
    assert "╭" in text


@pytest.mark.parametrize(("variables", "is_red"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["", "NO_COLOR"])
def test_no_color_leaves_colours_out_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_red: bool
) -> None:
    """Bold is no colour."""
    monkeypatch.delenv("NO_COLOR", raising=False)

    text = in_a_terminal(**variables)

    assert ("31m" in text) is is_red
    assert "\x1b[1" in text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_checks_of_a_run_can_be_read_at_any_width(capsys: pytest.CaptureFixture[str], width: int) -> None:
    """No line is too wide, and every word of a claim is there, whole."""
    claim = "external endpoints that do not belong to the pool"
    values = {"expected": "at most 6.5", "observed": 1.632, "ok": True, "source": "RFC 4787 REQ-1"}
    check = {"key": "own", "claim": claim, **values}
    result = Result(resolve("port-exhaustion", "openflow", Choices(), datapath="userspace"))
    result.take({"kind": "check", "check": check})
    result.take(
        {"kind": "check", "check": {**check, "claim": "c" * 99, "expected": "e" * 99, "observed": "o" * 99}}
    )

    conclude(Console(width=width), result, "out")

    printed = capsys.readouterr().out
    checks = printed.splitlines()[:-1]
    assert all(len(line) <= width for line in checks)
    assert all(word in printed.split() for word in claim.split())
    assert "at most 6.5" in printed
    assert "1.632" in printed
    assert [printed.count(letter * 3) > 0 for letter in "ceo"] == [True] * 3
    assert "…" not in printed


def test_what_nobody_looked_at_is_named_after_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    """A reader must not take its absence for a check that held."""
    result = Result(resolve("port-exhaustion", "openflow", Choices(), datapath="userspace"))
    result.take({"kind": "series", "series": {"not_looked_at": {"port-order": "nothing is declared"}}})

    conclude(Console(width=80), result, "out")

    assert "Not looked at: port order (nothing is declared)." in capsys.readouterr().out
