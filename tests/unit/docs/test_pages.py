"""What the pages quote of the code is there, the glossary is in order, and the code cites pages that exist.

A lab sheet has no answers in it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOUR = (ROOT / "docs" / "code-in-ten-minutes.md").read_text()
EXCERPT = re.compile(r"```python\n# (\S+)\n(.*?)```", re.DOTALL)
PAGE = re.compile(r"\bdocs/[\w/-]+\.md\b")
SHEETS = sorted((ROOT / "docs" / "labs").glob("*.md"))
ROOMS = ("controller", "topologies", "testbed", "scenarios", "benchmarks")


def excerpts(page: str) -> list[tuple[str, list[str]]]:
    """Return the file that each excerpt names in its first line, and the other lines."""
    return [(file, [line for line in text.splitlines() if line.strip()]) for file, text in EXCERPT.findall(page)]


def lost(lines: list[str], code: str) -> list[str]:
    """Return the lines that do not stand in the code in their order."""
    rest = iter(code.splitlines())
    return [line for line in lines if line not in rest]


@pytest.mark.parametrize(("file", "lines"), excerpts(TOUR))
def test_an_excerpt_stands_in_the_file_that_it_names(file: str, lines: list[str]) -> None:
    """Lines may be left out, and none is changed."""
    assert lost(lines, (ROOT / file).read_text()) == []


def test_a_line_that_is_not_in_the_code_is_found() -> None:
    """Neither may the order change."""
    page = "```python\n# a/b.py\none\n    three\ntwo\n```\nand\n```python\n# a/c.py\nfour\n```\n"

    assert excerpts(page) == [("a/b.py", ["one", "    three", "two"]), ("a/c.py", ["four"])]
    assert lost(["one", "    three", "two"], "one\ntwo\n    three\n") == ["two"]


def test_each_excerpt_names_its_file() -> None:
    """One that does not is compared with nothing."""
    assert len(excerpts(TOUR)) == TOUR.count("```python") > 10


def test_the_glossary_is_in_alphabetical_order() -> None:
    """Without regard to case; each word has one row."""
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word.lower() for word in rows if word != "word"]

    assert len(words) > 40
    assert words == sorted(set(words))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_a_lab_sheet_can_be_handed_out(sheet: Path) -> None:
    """It has a picture of the network. Its answers are in another file, to which it does not lead."""
    assert "[gateway]" in sheet.read_text()
    assert "answers" not in sheet.read_text()
    assert (sheet.parent / "answers" / sheet.name).exists()


def test_the_code_cites_only_pages_that_exist() -> None:
    """As a source of a check, for example."""
    cited = {
        page
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for page in PAGE.findall(node.value)
    }

    assert "docs/exhaustion.md" in cited
    assert {page for page in cited if not (ROOT / page).exists()} == set()
