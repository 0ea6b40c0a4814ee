"""The pages of marks: one for each student, and one for the class, where what most students lost comes first."""

from __future__ import annotations

import statistics
from pathlib import Path

import jinja2
from markupsafe import Markup

from controller.settings import ConfigurationError
from testbed.labs.classes import lost_most
from testbed.labs.grading import Mark
from testbed.report.page import TEMPLATES as REPORT
from testbed.run.folder import Folder

TEMPLATES = Path(__file__).with_name("templates")
CLASS, STUDENTS = "index.html", "students"


def pages(marks: list[Mark]) -> dict[str, str]:
    """Return the text of each page by its path."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["style"] = Markup((REPORT / "style.css").read_text())
    student = environment.get_template("student.html.j2")
    made = {f"{STUDENTS}/{mark.student or 'submission'}.html": student.render(mark=mark) for mark in marks}
    whole = environment.get_template("class.html.j2").render(
        lab=marks[0].lab,
        marks=marks,
        lost=lost_most(marks),
        median=f"{statistics.median(mark.score for mark in marks):g}",
    )
    return {CLASS: whole, **made}


class Pages:
    """A new folder for pages. Raises ConfigurationError if it is there already, or cannot be made."""

    def __init__(self, path: Path) -> None:
        try:
            self._folder = Folder(path, new=True)
            self._students = Folder(path / STUDENTS, new=True)
        except FileExistsError:
            raise ConfigurationError(f"--out {path} is there already; take another folder") from None
        except OSError as error:
            raise ConfigurationError(
                f"--out {path} cannot be made: {error.strerror}; take a folder in one of your own"
            ) from None

    @property
    def first(self) -> Path:
        """The page of the class."""
        return self._folder.path / CLASS

    def keep(self, marks: list[Mark]) -> list[str]:
        """Write all pages; return for each an empty string, or why it could not be written."""
        captures = {mark.capture(item): item.packets for mark in marks for item in mark.items if item.packets}
        return [
            *(
                (self._students if "/" in name else self._folder).keep(name.rpartition("/")[2], text)
                for name, text in pages(marks).items()
            ),
            *(self._students.keep(name, content) for name, content in captures.items()),
        ]
