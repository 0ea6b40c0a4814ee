"""The commands for a class: lab and grade."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.command import completing
from testbed.command.options import Json
from testbed.run.exit_status import ExitStatus

if TYPE_CHECKING:
    from testbed.labs.grading import Mark
    from testbed.labs.lab import Lab
    from testbed.labs.variants import Course
    from testbed.sweep.spreading import Spread

app = typer.Typer()

Student = Annotated[
    str | None, typer.Option("--student", help="The student whose own numbers count.", metavar="ID")
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="The course's secret, from which each student's numbers are drawn. Without it, the sheet's count.",
        metavar="FILE",
        autocompletion=completing.files(),
    ),
]
Class = Annotated[
    Path | None,
    typer.Option(
        "--class",
        help="The students of a class: a CSV file with one in the first cell of each line, or below a heading.",
        metavar="FILE",
        autocompletion=completing.files(),
    ),
]


@app.command()
def lab(
    action: Annotated[
        str, typer.Argument(help="list, sheet, start, check or variants.", metavar="ACTION")
    ] = "list",
    what: Annotated[
        str | None, typer.Argument(help="The lab's number; for variants, the class: a CSV file.", metavar="LAB")
    ] = None,
    *,
    student: Student = None,
    key: Key = None,
    of_class: Class = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="With sheet and --class, a new folder for the sheets of all.",
            metavar="DIR",
            autocompletion=completing.files(),
        ),
    ] = None,
) -> None:
    """List the labs, print a sheet, start a folder to work in, check what is in it, or list a class's numbers."""
    from controller.settings import ConfigurationError, unknown_key
    from testbed.labs.lab import find
    from testbed.labs.variants import course

    if action not in ("list", "variants", *OF_A_LAB):
        raise ConfigurationError(unknown_key(action, ["list", "variants", *OF_A_LAB], kind="action"))
    own_of_some = {"--student": student, "--class": of_class, "--out": out}
    unused = {"list": {"LAB": what, **own_of_some, "--key": key}, "variants": own_of_some}.get(action, {})
    if given := next((name for name, value in unused.items() if value is not None), None):
        every = "every lab" if action == "list" else "the numbers of every student of FILE"
        raise ConfigurationError(f"lastport lab {action} lists {every}; leave {given} out")
    if action == "list":
        _list()
        return
    if what is None:
        lacking = (
            "the file of a class, such as class.csv" if action == "variants" else "a lab's number, such as 02"
        )
        raise ConfigurationError(f"lastport lab {action} needs {lacking}")
    if action == "variants":
        _variants(Path(what), course(key))
        return
    own = course(key)
    if of_class and out and student is not None:
        raise ConfigurationError("--class and --out write the sheets of all; take one of --class and --student")
    if action == "sheet" and of_class and out:
        _sheets(find(what), own, of_class, out)
        return
    if of_class or out:
        raise ConfigurationError("--class and --out write the sheets of a class; take both, with sheet, or none")
    if own.key is not None and student is None:
        raise ConfigurationError("--key draws a student's numbers: say whose, by --student ID")
    OF_A_LAB[action](find(what), own, student)


def _list() -> None:
    from testbed.command.layout import Entry, entries
    from testbed.labs.lab import find, numbers
    from testbed.labs.starting import HANDED_IN
    from testbed.run.console import new_console, print_lines

    out = new_console()
    labs = [find(number) for number in numbers()]
    rows = [
        Entry(
            each.number, f"{each.title.partition(': ')[2]}: {each.points} points for {HANDED_IN[each.submission]}"
        )
        for each in labs
    ]
    print_lines(out, entries(rows, out.width))
    out.print("Begin with: lastport lab sheet NUMBER, and lastport lab start NUMBER")


def _variants(path: Path, own: Course) -> None:
    import csv

    from controller.settings import ConfigurationError
    from testbed.labs.lab import find, numbers
    from testbed.labs.sheets import listed
    from testbed.labs.students import students

    if own.key is None:
        raise ConfigurationError("the numbers of a class are drawn from the course's secret; add --key FILE")
    table = listed(map(find, numbers()), own, students(path))
    csv.writer(sys.stdout, lineterminator="\n").writerows(table)


def _sheets(found: Lab, own: Course, of_class: Path, out: Path) -> None:
    from controller.settings import ConfigurationError
    from testbed.labs.sheets import text
    from testbed.labs.students import students
    from testbed.run.folder import Folder

    names = students(of_class)
    sheets = {f"{student}.md": text(found, own.variant(found, student)) for student in names}
    try:
        Folder(out, new=True).write_texts(sheets)
    except FileExistsError:
        raise ConfigurationError(f"--out {out} is there already; take another folder") from None
    except OSError as error:
        raise ConfigurationError(f"--out {out} cannot be written: {error.strerror}; take another folder") from None
    print(
        f"{len(names)} sheets are in {out}" + ", all with the numbers of the sheet: no --key" * (own.key is None)
    )


def _sheet(found: Lab, own: Course, student: str | None) -> None:
    from testbed.labs.sheets import text

    print(text(found, own.variant(found, student)), end="")


def _start(found: Lab, own: Course, student: str | None) -> None:
    from testbed.labs.starting import start

    folder = start(found, own.variant(found, student), student, Path())
    print(f"{folder} is made. Go on there; `lastport lab check {found.number}` shows how far you are.")


def _check(found: Lab, own: Course, student: str | None) -> None:
    from testbed.command.layout import Entry, entries
    from testbed.labs.grading import mark
    from testbed.labs.starting import NUMBERS, started
    from testbed.labs.submission import Hidden
    from testbed.run.console import new_console, print_lines

    file, variant = started(found, Path())
    if own.key is not None:
        variant = own.variant(found, student)
    got = mark(found, file, variant, own.seeds(found, student), student or "", Hidden.of(file, own.file))
    out = new_console()
    rows = [
        Entry(item.requirement, item.asks, "ok", style="green")
        if item.is_won
        else Entry(item.requirement, f"{item.asks} Hint: {item.hint}", "not yet", style="red")
        for item in got.items
    ]
    print_lines(out, entries(rows, out.width))
    if got.why_nothing:
        out.print(f"All of it for one reason: {got.why_nothing}.", markup=False, highlight=False)
    if got.said:
        out.print("It printed:")
        out.print(got.said, markup=False)
    told = ", ".join(f"{name} {value}" for name, value in got.variant.items())
    print(f"Numbers{f' of {NUMBERS}' * (own.key is None)}: {told}")
    print(f"{got.score} of {got.of} points, with these numbers and seeds that are always the same.")
    raise typer.Exit(ExitStatus.PASSED if got.score == got.of else ExitStatus.CHECK_FAILED)


OF_A_LAB = {"sheet": _sheet, "start": _start, "check": _check}


@app.command()
def grade(
    lab: Annotated[str, typer.Argument(help="The lab's number, such as 02.", metavar="LAB")],
    submission: Annotated[
        Path,
        typer.Argument(
            help="The file that a student handed in, or the folder of a class: in it STUDENT.py, or a folder "
            "STUDENT with the file.",
            metavar="SUBMISSION",
            autocompletion=completing.files(),
        ),
    ],
    *,
    student: Student = None,
    key: Key = None,
    of_class: Class = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A new folder for the pages: one for each student and one for the class.",
            metavar="DIR",
            autocompletion=completing.files(),
        ),
    ] = None,
    gradescope: Annotated[
        Path | None,
        typer.Option(help="Write Gradescope's results.json of one submission.", metavar="FILE"),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write the marks as JUnit's XML.", metavar="FILE", autocompletion=completing.files()),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write a line for each student.", metavar="FILE", autocompletion=completing.files()),
    ] = None,
    wire: Annotated[
        bool,
        typer.Option("--wire", help="Try it with real packets as well. This takes longer, and needs root."),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Grade a class on the workers of Dask's scheduler there, which see its folder at the same place.",
            metavar="ADDRESS",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Mark what students handed in: points for each requirement, with what was seen and what was expected."""
    import json

    from controller.settings import ConfigurationError
    from testbed.labs import formats
    from testbed.labs.classes import handed_in, marks
    from testbed.labs.grading import grade as graded
    from testbed.labs.lab import find
    from testbed.labs.pages import Pages
    from testbed.labs.students import require_listed, require_short, students
    from testbed.labs.submission import Hidden
    from testbed.labs.variants import course
    from testbed.run.beside import Beside
    from testbed.sandbox.words import harmless

    found, own = find(lab), course(key)
    try:
        submission, is_class = _submission(found, submission)
    except OSError as error:  # a folder above it that may not be looked into
        raise ConfigurationError(f"{submission} cannot be read: {error.strerror}; take one that can") from None
    if is_class and (gradescope or student):
        name = "--gradescope" if gradescope else "--student"
        raise ConfigurationError(f"{name} is for one submission, and {submission} is a folder; leave it out")
    if own.key is not None and student is None and not is_class:
        raise ConfigurationError("--key draws a student's numbers: say whose, by --student ID")
    if of_class and not is_class:
        if student is None:
            raise ConfigurationError(
                f"--class is a list, and {submission} is one submission: take --student ID too, or leave it out"
            )
        require_listed(student, of_class)
    if student is not None and out:
        require_short(submission, student)
    names = students(of_class) if of_class and is_class else []
    if is_class:
        handed_in(found, submission, names)  # is refused before anything is made
    got: list[Mark] = []
    wanted = (
        (Beside(gradescope, "--gradescope"), lambda: json.dumps(formats.gradescope(got[0]), indent=1)),
        (Beside(junit, "--junit"), lambda: formats.junit(got)),
        (Beside(csv, "--csv"), lambda: formats.table(got)),
    )
    for beside, _ in wanted:
        beside.open()
    pages = Pages(out) if out else None
    hidden = Hidden.of(submission, key, out)
    rungs = 2 if wire else 1
    with _spread(cluster, found, submission, key) as spread:
        for mark in (
            marks(found, submission.absolute(), own, hidden, names=names, rungs=rungs, spread=spread)
            if is_class
            else [graded(found, submission, own, student, hidden, rungs=rungs)]
        ):
            got.append(mark)
            if is_class and not as_json:
                print(_in_a_line(mark), flush=True)
    unkept = [beside.keep(text) for beside, text in wanted] + (pages.keep(got) if pages else [])
    if as_json:
        told = [formats.as_object(each) for each in got]
        print(json.dumps(told if is_class else told[0]))
    elif is_class:
        _print_lost(got)
        if own.key is None:
            print("All were tried with the numbers of the sheet, since there is no --key.")
    else:
        _print(got[0])
    for why in filter(None, unkept):
        print(f"lastport: {why}", file=sys.stderr)
    if any(unkept):
        raise typer.Exit(ExitStatus.MACHINE_LACKS)
    if pages and not as_json:
        print(f"The pages begin with {pages.first}")
    if broke := [mark for mark in got if mark.broke]:
        broken = ", ".join(harmless(mark.student) or "the submission" for mark in broke)
        print(f"lastport: grade again, since no run on the wire came to its end: {broken}", file=sys.stderr)
        raise typer.Exit(ExitStatus.BROKE)
    raise typer.Exit(ExitStatus.PASSED if is_class or got[0].score == got[0].of else ExitStatus.CHECK_FAILED)


def _in_a_line(got: Mark) -> str:
    """Return a student's line of the table. A file's name may have line breaks, and so may a reason."""
    from testbed.sandbox.words import harmless

    student, reason = (harmless(text).replace("\n", "\\n") for text in (got.student, got.why_nothing))
    return f"{got.score:3} of {got.of}  {student}" + f": {reason}" * bool(reason)


def _submission(found: Lab, path: Path) -> tuple[Path, bool]:
    """Return what is graded, and whether that is a class. A student's folder stands for the file in it."""
    from controller.settings import ConfigurationError
    from testbed.labs.classes import only_one

    if path.suffix == ".zip":
        raise ConfigurationError(f"{path} is an archive; take the folder that `unzip -d handed-in {path}` makes")
    file = only_one(found, path) if path.is_dir() else None
    return (file, False) if file else (path, path.is_dir())


def _spread(
    address: str | None, lab: Lab, submission: Path, key: Path | None
) -> AbstractContextManager[Spread | None]:
    """Return where a class is graded: on a cluster, each of whose workers has to see the same files."""
    from controller.settings import ConfigurationError
    from testbed.labs.classes import handed_in
    from testbed.sweep.cluster import cluster

    if address is None:
        return nullcontext()
    if not submission.is_dir():
        raise ConfigurationError(f"--cluster is for a class, and {submission} is one submission; leave it out")
    files = [file for each in handed_in(lab, submission).values() for file in each] + ([key] if key else [])
    return cluster(address, labs=True, files=sorted({str(file.absolute()) for file in files}))


def _print(got: Mark) -> None:
    from testbed.command.layout import Entry, entries
    from testbed.run.console import new_console, print_lines

    out = new_console()
    rows = [
        Entry(
            item.requirement,
            item.sentence + f" Calls before: {'; '.join(item.calls)}." * bool(item.calls),
            f"{item.points} of {item.of}",
            style="green" if item.is_won else "red",
        )
        for item in got.items
    ]
    print_lines(out, entries(rows, out.width))
    print(f"{got.score} of {got.of} points" + f" for {got.student}" * bool(got.student))


def _print_lost(got: list[Mark]) -> None:
    """Print what the class lost most."""
    from testbed.labs.classes import lost_most

    lost = [(item, students) for item, students in lost_most(got) if students]
    print("Requirements that students do not meet:" if lost else "Every student meets every requirement.")
    for item, students in lost:
        print(f"{students:3} of {len(got)}  {item.requirement}: {item.asks}")
