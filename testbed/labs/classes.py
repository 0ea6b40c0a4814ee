"""A class: the folder of what all students handed in, and the marks of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from controller.settings import ConfigurationError
from testbed.labs.grading import Item, Mark, grade, require_known
from testbed.labs.lab import Lab
from testbed.labs.starting import HANDED_IN, made
from testbed.labs.students import require_short, whose
from testbed.labs.submission import Hidden
from testbed.labs.variants import Course
from testbed.sandbox.words import harmless
from testbed.sweep.spreading import Spread, labs, simulations


def handed_in(lab: Lab, folder: Path, names: Sequence[str] = ()) -> dict[str, list[Path]]:
    """Return the files of each student: `STUDENT.py`, or what a folder STUDENT has.

    With the names of a class, each of its students has an entry, in their order, and nobody else. Raises
    ConfigurationError.
    """
    suffix = Path(HANDED_IN[lab.submission]).suffix
    found, strangers = {each: list[Path]() for each in names}, list[str]()
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        is_folder = path.is_dir() and not path.is_symlink()
        if not is_folder and path.suffix != suffix and (lab.submission != "nat" or path.suffix):
            continue
        name = path.name if is_folder else path.stem
        student = whose(name, names) if names else name
        if student is None:
            strangers.append(path.name)
        else:
            require_short(folder, student)
            found.setdefault(student, []).extend(_of(lab, path) if is_folder else [path])
    if strangers:
        raise ConfigurationError(
            f"{folder}: each name has to have one student of the class in it, and these have not: "
            f"{', '.join(map(harmless, strangers))}; take the student's name for each, or move it away"
        )
    if not any(found.values()):
        raise ConfigurationError(f"{folder} has no submissions: put STUDENT{suffix} into it, or a folder for each")
    return found


def only_one(lab: Lab, folder: Path) -> Path | None:
    """Return the file that a folder is about: if it is a student's own, with that file and no others."""
    name = Path(HANDED_IN[lab.submission])
    stems = {path.stem for path in folder.iterdir() if path.suffix == name.suffix}
    is_one = (folder / name).is_file() and stems - {Path(each).stem for each in made(lab)} == {name.stem}
    return folder / name if is_one else None


def _of(lab: Lab, folder: Path) -> list[Path]:
    """Return what a student's folder has that can be graded: there, or in the folder that `lab start` makes."""
    name = Path(HANDED_IN[lab.submission])
    inner = folder / f"lab-{lab.number}"
    for place in (folder,) if inner.is_symlink() else (folder, inner):
        named = [each for each in (place / name, place / name.stem) if each.is_file()]
        others = sorted(each for each in place.glob(f"*{name.suffix}") if each.name not in made(lab))
        if found := named[:1] or others:
            return found
    return []


def marks(
    lab: Lab,
    folder: Path,
    course: Course,
    hidden: Hidden,
    *,
    names: Sequence[str] = (),
    rungs: int = 1,
    spread: Spread | None = None,
) -> Iterator[Mark]:
    """Return the mark of each student in turn. A submission that is none gets a mark as well, and a reason.

    With the names of a class, a student of it that handed in nothing gets one, too.

    Several are graded at once, by `spread` or else by processes of this machine. Raises MachineError.
    """
    require_known(lab)
    spread = spread or (labs() if rungs == 2 else simulations())
    handed = handed_in(lab, folder, names)
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
        if not files:
            raise ConfigurationError(f"no {HANDED_IN[lab.submission]} was handed in")
        if len(files) > 1:
            named = ", ".join(each.name for each in files)
            raise ConfigurationError(f"{len(files)} files were handed in: {named}")
        return grade(lab, files[0], course, student, hidden, rungs=rungs)
    except ConfigurationError as error:
        return _nothing(lab, student, course, str(error), rungs)


def lost_most(marks: list[Mark]) -> list[tuple[Item, int]]:
    """Return each requirement with the number of students who do not meet it, the largest number first."""
    lost = Counter(item.requirement for each in marks for item in each.items if not item.is_won)
    items = {item.requirement: item for each in marks for item in each.items}
    return sorted(((item, lost[name]) for name, item in items.items()), key=lambda pair: -pair[1])


def _nothing(lab: Lab, student: str, course: Course, why: str, rungs: int) -> Mark:
    """Return the mark of a submission that cannot be tried, with what the others are marked by."""
    wire = lab.of_the_wire if rungs == 2 or lab.is_on_the_wire_only else {}
    items = tuple(
        Item(name, 0, each.points, why, "one file that can be tried", each.asks, each.source, each.hint)
        for name, each in (lab.requirements | wire).items()
    )
    return Mark(lab, student, course.variant(lab, student), items)
