"""The students of a class, from a CSV file, and whose submission a file or folder is.

The file is a plain list, or what a learning platform or a spreadsheet exports. Learning platforms put a student's
name between others: `Alice Liddell_1001_assignsubmission_file`, `liddellalice_LATE_1001_7_allocator.py`.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from controller.settings import ConfigurationError
from testbed.labs.variants import normal

HEADINGS = (
    *("student", "login", "username", "id", "id number"),
    *("full name", "name", "email", "email address", "e-mail"),
)
"""What a heading calls the column with the students, the best first."""
SEPARATORS = ",;\t"
NAMES_SEPARATOR = re.compile('"?sep=([,;|:\t])"?[,;\t]*(?:\n|$)', re.IGNORECASE)
"""A first line for Excel, which names the separator and no student."""
MOST_BYTES = 150
"""The bytes of a student's name, beside which a file's name has a requirement's."""
MOST_SHOWN = 40
UNSEEN = ("Cc", "Cs", "Zl", "Zp")
"""The Unicode categories of controls and line breaks. Joiners, which some names need, are in another one."""


def students(path: Path) -> list[str]:
    """Return the students of a class: the first cell of each line, or those below a heading.

    Raises ConfigurationError.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if told := NAMES_SEPARATOR.match(text):
            text = text[told.end() :]
        first = text.partition("\n")[0]
        separator = told[1] if told else max(SEPARATORS, key=first.count)
        rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}; take CSV in UTF-8") from None
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    headings = [cell.casefold() for cell in rows[0]] if rows else []
    known = [headings.index(each) for each in HEADINGS if each in headings]
    column = known[0] if known else 0
    rows = rows[bool(known) :]
    if lacking := [row for row in rows if len(row) <= column or not row[column]]:
        raise ConfigurationError(f"{path}: the line of {' '.join(lacking[0])!r} names no student; take it out")
    names = [row[column] for row in rows]
    if not names:
        raise ConfigurationError(f"{path} names no student: write one a line, in the first cell")
    _require_names(path, names)
    return names


def _require_names(path: Path, names: list[str]) -> None:
    """Raise ConfigurationError for a student that is there twice, or that no file can be named after."""
    seen = set[str]()
    for name in names:
        if normal(name) in seen:
            raise ConfigurationError(
                f"{path} names {name!r} twice; take a column that differs, with the heading `student`"
            )
        if "/" in name or name.startswith(".") or any(unicodedata.category(each) in UNSEEN for each in name):
            raise ConfigurationError(f"{path}: {name!r} cannot be the name of a file; take a login or a number")
        require_short(path, name)
        seen.add(normal(name))


def require_short(path: Path, name: str) -> None:
    """Raise ConfigurationError for a student whose pages could not be named after them."""
    if (length := len(name.encode("utf-8", "surrogateescape"))) > MOST_BYTES:
        raise ConfigurationError(
            f"{path}: {name[:MOST_SHOWN]!r}... has {length:,} bytes, and may have {MOST_BYTES} as the name of "
            "a file; take a login or a number"
        )


def require_listed(student: str, path: Path) -> None:
    """Raise ConfigurationError for a student that is not in the class."""
    names = {normal(each): each for each in students(path)}
    if normal(student) in names:
        return
    close = difflib.get_close_matches(normal(student), names, n=1)
    hint = f"did you mean {names[close[0]]!r}?" if close else f"take one of its {len(names)} students"
    raise ConfigurationError(f"student {student!r} is not in {path}: {hint}")


def whose(name: str, names: Iterable[str]) -> str | None:
    """Return the student whose name a file or folder has, alone or between underscores; None if it is unclear."""
    own = normal(name)
    found = [each for each in names if f"_{normal(each)}_" in f"_{own}_"]
    longest = max(found, key=len, default=None)
    if longest is None or any(f"_{normal(each)}_" not in f"_{normal(longest)}_" for each in found):
        return None
    return longest
