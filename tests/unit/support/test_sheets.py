"""How a sheet is read, and how a promise is kept or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import sheets
from tests.support.session import Session
from tests.support.sheets import Step, kept, missing, promised, steps, worked_through

SHEET = """
Begin with `./lastport doctor`, not with `./lastport ...`.
```sh
echo one \\
  two
cat > file <<EOF
a line
EOF
```
```text
$ echo no command
```
```sh
cat
```
```mininet
alice ping server
```
"""
ANSWERS = """
Before `./lastport doctor`:
```console
$ ./lastport doctor
ready
$ echo one \\
  two
one two
$ echo more
more
$ cat
(exit status 2)
```
Say `./lastport doctor` once more, and `./lastport list`.
"""


@pytest.fixture
def sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a sheet and its instructor's part."""
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "01-x.md").write_text(ANSWERS)
    (tmp_path / "01-x.md").write_text(SHEET)
    monkeypatch.setattr(sheets, "LABS", tmp_path)
    return tmp_path / "01-x.md"


def test_commands_stand_in_blocks_and_in_sentences(sheet: Path) -> None:
    """One may go on over several lines, and have lines that are typed while it runs."""
    assert steps(sheet) == [
        Step("./lastport doctor"),
        Step("echo one \\\n  two"),
        Step("cat > file <<EOF\na line\nEOF"),
        Step("cat", typed=["alice ping server"]),
    ]


def test_a_transcript_has_promises_and_commands_of_its_own(sheet: Path) -> None:
    """These are run where they stand; of a command in a sentence nothing is promised, so once is enough."""
    assert [step.command for step in promised(sheet)][2:4] == ["echo one \\\n  two", "echo more"]
    assert worked_through(sheet) == [
        Step("./lastport doctor", promises=["ready"]),
        Step("echo one \\\n  two", promises=["one two"]),
        Step("echo more", promises=["more"]),
        Step("cat > file <<EOF\na line\nEOF"),
        Step("cat", typed=["alice ping server"], status=2),
        Step("./lastport list"),
    ]


@pytest.mark.parametrize(
    ("promise", "output"),
    [
        ("64 established", "In the end:  64\n   established, 16 timeout."),
        ("after [2.0 to 5.0] s", "refused after 0.1 s, and after 2.1 s."),
        ("[1,022 to 1,025] of 1,280", "Attempt 1,024 of 1,280"),
        ("Flags [S], seq ..., length 0", "Flags [S], seq 2808104802, win 64240, length 0"),
        ("got {}", "alice got 1,024."),
    ],
)
def test_a_promise_is_kept_whatever_the_white_space(promise: str, output: str) -> None:
    """A number may be in a range, and what matters to nobody is left out."""
    assert kept(promise, output)


@pytest.mark.parametrize(
    ("promise", "output"),
    [
        ("64 established", "1,064 established"),
        ("got 4", "got 4.5"),
        ("got 4", "got 4,500"),
        ("got 4", "got 42"),
        ("after [2.0 to 5.0] s", "after 5.1 s"),
        ("Flags [S]", "Flags S"),
    ],
)
def test_a_promise_is_broken_by_another_number(promise: str, output: str) -> None:
    """Also by one that begins or ends with the number that was promised."""
    assert kept(promise, output) is None


def test_promises_are_kept_in_their_order() -> None:
    """The same line may be promised twice."""
    assert missing(["one", "two", "two"], "one two") == ["two"]
    assert missing(["two", "one"], "one two") == ["one"]


def test_a_session_goes_on_where_the_last_command_left_it(tmp_path: Path) -> None:
    """In a folder that looks like a checkout; the virtual machine's is the same one, and root needs no sudo."""
    session = Session(tmp_path)
    session.carry_out(Step("mkdir here && cd here"))
    session.carry_out(Step("sudo -s"))
    done = session.carry_out(
        Step("sudo ls ../docs/labs; pwd; exit 3", promises=["answers", "here", "there"], status=2)
    )

    assert done.lacks == ["here", "there", "(exit status 2)"]
    session.carry_out(Step("cd /vagrant"))
    assert session.carry_out(Step("cat", typed=["x"], promises=["x"])).lacks == []
    assert session.carry_out(Step("ls lastport", promises=["lastport"])).lacks == []
