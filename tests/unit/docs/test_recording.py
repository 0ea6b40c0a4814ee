"""The page about recordings is true: its reader reads one, and its tables are those of the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from controller.recording import Kind
from testbed.recording.format import REASONS, RECORD, Texts
from testbed.recording.writer import Writer
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "recording.md").read_text()


def test_the_reader_in_the_page_reads_a_recording(tmp_path: Path) -> None:
    """It needs nothing of ours, and a file that was cut off is no exception."""
    reader = PAGE.split("### A reader")[1].split("```python\n")[1].split("```")[0]
    path = tmp_path / "recording.gz"
    with path.open("wb") as file:
        writer = Writer(file, {"scenario": "any"})
        writer.events(RECORD.pack(25_000, Kind.REFUSED, 6 << 4 | 1, 2, 1024, 3))
        writer.text(3.0, "phase", name="fill")
        writer.end(4.0, verdict="pass")
    outputs = []
    for data in (path.read_bytes(), path.read_bytes()[:-9]):
        path.write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-I", "-c", reader, str(path)], capture_output=True, text=True, check=True
        )
        outputs.append(done.stdout.splitlines())

    whole, cut = outputs
    assert whole[1] == "2.5 6 1 6 2 1024 3"
    assert ast.literal_eval(whole[2].partition(" ")[2]) == {"kind": "phase", "name": "fill"}
    assert len(whole) == 4
    assert cut == whole[: len(cut)]
    assert len(reader.splitlines()) <= 15


def test_the_table_of_kinds_is_that_of_the_code() -> None:
    """Number, name and reasons of each."""
    rows = {
        int(number): (name, rest) for number, name, rest in re.findall(r"^\| (\d) \| (\w+) \|(.*)$", PAGE, re.M)
    }

    assert {number: name for number, (name, _) in rows.items()} == {int(kind): kind.name for kind in Kind}
    for kind in (Kind.RELEASED, Kind.REFUSED, Kind.ATTEMPT):
        numbers = [int(number) for number in re.findall(r"\b(\d+) [a-z]", rows[kind][1].split("|")[1])]
        assert numbers == [int(reason) for reason in REASONS[kind] if reason]


def test_every_kind_of_text_is_in_the_page() -> None:
    """By its name."""
    assert {kind for kind in Texts if f"`{kind}`" not in PAGE} == {Texts.HEADER}
