"""A class: the folder of what all students handed in, and the marks of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from controller.settings import ConfigurationError
from testbed.labs.grading import Item, Mark, grade, require_known
from testbed.labs.lab import Lab
from testbed.labs.starting import HANDED_IN
from testbed.labs.submission import Hidden
from testbed.labs.variants import Course
from testbed.sweep.spreading import Spread, labs, simulations


def handed_in(lab: Lab, folder: Path) -> dict[str, list[Path]]:
    """Return the files of each student: `STUDENT.py`, or what a folder STUDENT has. Raises ConfigurationError."""
    name = HANDED_IN[lab.submission]
    suffix = Path(name).suffix
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        if path.is_dir() and not path.is_symlink():
            named = [each for each in (path / name, path / Path(name).stem) if each.is_file()]
            found.setdefault(path.name, []).extend(named[:1] or sorted(path.glob(f"*{suffix}")))
        elif path.suffix == suffix or (lab.submission == "nat" and not path.suffix):
            found.setdefault(path.stem, []).append(path)
    if not found:
        raise ConfigurationError(f"{folder} has no submissions: put STUDENT{suffix} into it, or a folder for each")
    return found


def marks(
    lab: Lab, folder: Path, course: Course, hidden: Hidden, *, rungs: int = 1, spread: Spread | None = None
) -> Iterator[Mark]:
    """Return the mark of each student in turn. A submission that is none gets a mark as well, and a reason.

    Several are graded at once, by `spread` or else by processes of this machine. Raises MachineError.
    """
    require_known(lab)
    spread = spread or (labs() if rungs == 2 else simulations())
    handed = handed_in(lab, folder)
    waiting, done = [*handed], dict[str, Mark | Exception]()
    for (student, _), mark in spread.done(partial(_marked, lab, course, hidden, rungs), handed.items()):
        done[student] = mark
        while waiting and waiting[0] in done:
            got = done.pop(waiting.pop(0))
            if isinstance(got, Exception):
                raise got
            yield got


def _marked(lab: Lab, course: Course, hidden: Hidden, rungs: int, handed: tuple[str, list[Path]]) -> Mark:
    student, files = handed
    try:
        if len(files) != 1:
            raise ConfigurationError(f"{len(files)} files were handed in")
        return grade(lab, files[0], course, student, hidden, rungs=rungs)
    except ConfigurationError as error:
        return _nothing(lab, student, course, str(error))


def lost_most(marks: list[Mark]) -> list[tuple[Item, int]]:
    """Return each requirement with the number of students who do not meet it, the largest number first."""
    lost = Counter(item.requirement for each in marks for item in each.items if not item.is_won)
    items = {item.requirement: item for each in marks for item in each.items}
    return sorted(((item, lost[name]) for name, item in items.items()), key=lambda pair: -pair[1])


def _nothing(lab: Lab, student: str, course: Course, why: str) -> Mark:
    """Return the mark of a submission that cannot be tried."""
    items = tuple(
        Item(name, 0, each.points, why, "one file that can be tried", each.asks, each.source, each.hint)
        for name, each in (lab.requirements or lab.of_the_wire).items()
    )
    return Mark(lab, student, course.variant(lab, student), items)
