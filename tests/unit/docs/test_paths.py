"""What the pages say of files is true: each path, file name and link in them leads to something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FOLDERS = ("controller", "scenarios", "testbed", "topologies", "tests", "docs", "vagrant", "benchmarks", ".ci")
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*\w")
FILE_NAME = re.compile(r"`(\w+\.(?:py|sh|j2|yaml))`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PLACEHOLDER = "NAME"


def missing(page: str, folder: Path) -> set[str]:
    """Return the paths, file names and links of a page in this folder that lead nowhere."""
    names = {path.name for path in ROOT.iterdir()} | {
        path.name for top in FOLDERS for path in (ROOT / top).rglob("*")
    }
    paths = {path for path in PATH.findall(page) if PLACEHOLDER not in path}
    return (
        {path for path in paths if not (ROOT / path).exists()}
        | {name for name in FILE_NAME.findall(page) if name not in names and PLACEHOLDER not in name}
        | {link for link in LINK.findall(page) if not (folder / link).exists()}
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_a_page_exists(page: Path) -> None:
    """Paths stand in backticks, in commands and in links."""
    assert missing(page.read_text(), page.parent) == set()


def test_what_does_not_exist_is_found() -> None:
    """A path, a name and a link that lead nowhere are told; places to be filled in and other sites are not."""
    page = (
        "`scenarios/gone.py`, `lost.py`, [a page](nowhere.md); `topologies/NAME.py`, [RFC](https://example.org/x)"
    )
    assert missing(page, ROOT) == {"scenarios/gone.py", "lost.py", "nowhere.md"}
