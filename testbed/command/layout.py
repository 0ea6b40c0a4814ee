"""Text for people at any width: names with what they mean, side by side or below one another, and paragraphs.

Everything here yields lines that are not longer than the width asked for, and that lose nothing.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

LEAST = 36
"""The narrowest column of text that is read with ease. Where there is less room, a text stands below its name."""
DRAWN = re.compile(r"--\+|\+--")
"""What only a drawing has. Its indentation does not tell: since Python 3.13 a docstring loses a common one."""
GAP = 2
INDENT = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A name, a short value if it has one, and a text about it."""

    name: str
    text: str
    value: str = ""
    style: str = ""
    """Rich's style of the value."""


def paragraph(text: str, width: int, *, indent: int = 0, style: str = "") -> Iterator[Text]:
    """Yield the lines of a text. Those of an item of a list begin where its first word does."""
    hanging = indent + (len("- ") if text.startswith("- ") else 0)
    for line in _wrapped(text, width, first=" " * indent, then=" " * hanging):
        yield Text(line, style=style)


def heading(text: str, width: int) -> Iterator[Text]:
    """Yield an empty line, and a heading."""
    yield Text()
    yield from paragraph(text, width, style="bold")


def entries(rows: Sequence[Entry], width: int, *, indent: int = 0) -> Iterator[Text]:
    """Yield names, values and texts: in columns if they leave the texts enough room, otherwise one by one."""
    if not rows:
        return
    names, values, texts = (max(map(len, column)) for column in zip(*map(_cells, rows), strict=True))
    column = indent + names + GAP + (values + GAP if values else 0)
    for row in rows:
        if width - column < min(LEAST, texts):
            yield from _below(row, width, indent)
            continue
        head = Text.assemble(" " * indent, (row.name.ljust(names), "bold"), " " * GAP, (row.value, row.style))
        head.pad_right(column - len(head))
        first, *others = _wrapped(row.text, width - column) or [""]
        head.append(first)
        head.rstrip()
        yield head
        yield from (Text(" " * column + line) for line in others)


def _cells(row: Entry) -> tuple[str, str, str]:
    return row.name, row.value, row.text


def _below(row: Entry, width: int, indent: int) -> Iterator[Text]:
    """Yield a name with its value, and its text below."""
    if indent + len(row.name) + GAP + len(row.value) <= width:
        head = Text.assemble(" " * indent, (row.name, "bold"), " " * GAP, (row.value, row.style))
        head.rstrip()
        yield head
    else:
        yield Text.assemble(" " * indent, (row.name, "bold"))
        yield from paragraph(row.value, width, indent=indent + INDENT, style=row.style)
    yield from paragraph(row.text, width, indent=indent + INDENT)


def docstring(text: str, width: int) -> Iterator[Text]:
    """Yield a docstring's lines, wrapped anew: paragraphs, terms with explanations, and drawings as they are."""
    for number, block in enumerate(_blocks(text)):
        if number:
            yield Text()
        if block[0].startswith(" ") or DRAWN.search("\n".join(block)):
            yield from _drawing(block, width)
        elif "  " in block[0]:
            yield from entries(list(_terms(block)), width)
        else:
            for item in _items(block):
                yield from paragraph(item, width)


def _wrapped(text: str, width: int, *, first: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _blocks(text: str) -> list[list[str]]:
    """Return the lines of a docstring, parted at empty lines."""
    lines = text.strip().splitlines()
    return [list(block) for is_full, block in itertools.groupby(lines, key=bool) if is_full]


def _terms(block: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of a block of `Term   explanation`, of which each may go on in further lines."""
    term, words = "", [""]
    for line in block:
        head, gap, tail = line.partition("  ")
        if head and gap:
            if term:
                yield Entry(term, " ".join(words))
            term, words = head, [tail.strip()]
        else:
            words.append(line.strip())
    yield Entry(term, " ".join(words))


def _items(block: Iterable[str]) -> Iterator[str]:
    """Yield the items of a list, or a whole paragraph."""
    words: list[str] = []
    for line in block:
        if line.startswith("- ") and words:
            yield " ".join(words)
            words = []
        words.append(line.strip())
    yield " ".join(words)


def _drawing(block: Sequence[str], width: int) -> Iterator[Text]:
    """Return the lines of a drawing, or of a sentence if it is too wide. A single line is a command."""
    lines = textwrap.dedent("\n".join(block)).splitlines()
    needed = max(map(len, lines))
    if len(lines) == 1:
        return paragraph(lines[0], width, indent=2)
    if needed > width:
        return paragraph(f"(The drawing needs a terminal of {needed} columns.)", width)
    return (Text(line) for line in lines)
