"""A lab: its sheet, the numbers that differ from student to student, and what each requirement is worth.

The YAML file of a sheet is the instructor's: points may be changed, and requirements left out. A mistake in it is
refused with its place, what is there, and what belongs there.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from controller.settings import ConfigurationError
from testbed.run.mistakes import first_mistake
from testbed.run.written import UNREADABLE, value_of

LABS = Path(__file__).resolve().parents[2] / "docs" / "labs"
"""The folder of the sheets, whose names begin with their number."""
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$")]


class Part(BaseModel):
    """A part of the file. A key that is not known is a mistake."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Number(Part):
    """A number that each student has one of: from `least` to `most` by `step`; `sheet` is the sheet's own."""

    means: str
    sheet: int
    least: int
    most: int
    step: Annotated[int, Field(ge=1)] = 1
    printed: list[str] = []
    """How the sheet prints it: a text with `{}` for the number."""

    @model_validator(mode="after")
    def _has_its_own(self) -> Number:
        if self.sheet not in self.values():
            raise ValueError(f"sheet={self.sheet} has to be one of least, least + step, ... most")
        return self

    def values(self) -> range:
        """Return all values that a student may get."""
        return range(self.least, self.most + 1, self.step)


class Shown(Part):
    """Where a run shows the number that is asked for: a command of the sheet, and a line with `{}` for it."""

    command: str
    line: str


class Requirement(Part):
    """What a requirement is worth, where it comes from, what it asks for, and a hint that gives nothing away."""

    points: Annotated[int, Field(ge=0)]
    source: str
    asks: str
    hint: str
    shown: Shown | None = None
    """For the test of the sheet, with the numbers of any student."""


class OnTheWire(Requirement):
    """A requirement of a run, and the packets that are kept with a point that is lost."""

    checks: list[str] = []
    """The keys of the checks that have to hold; without any, the requirement's name is the key."""
    phase: str = ""
    """The phase of the run whose first second is kept."""
    after: str = ""
    """An earlier requirement without which this one is lost."""
    expects: int | None = None
    """What the first of the checks has to expect: a submission's part in that is what it declares."""
    outcome: Literal["timeout", "icmp", "reset"] | None = None
    """How each attempt that the first of the checks counts has to end, where a submission declares how."""


class Expected(StrEnum):
    """What a student's own scenario has to find in a NAT: nothing, or what is wrong with it."""

    NOTHING = "nothing"
    THE_BUG = "the-bug"


class Wire(Part):
    """A run of the second rung: a scenario, its settings, and what its checks are worth, by their keys.

    Where a student's own scenario is handed in, as `file` beside the submission, there is what it has to find in
    place of a scenario's name. Then there is one requirement, whose name is the instructor's.
    """

    scenario: str = ""
    file: str = ""
    finds: Annotated[Expected | None, Field(strict=False)] = None
    settings: dict[str, int | str] = {}
    requirements: Annotated[dict[Name, OnTheWire], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Wire:
        if bool(self.scenario) == bool(self.file):
            raise ValueError("a run has either scenario: NAME or file: NAME.py")
        if bool(self.file) != (self.finds is not None):
            raise ValueError("finds: nothing or the-bug belongs to file: NAME.py")
        if self.file and len(self.requirements) != 1:
            raise ValueError("a run of a student's own scenario has one requirement")
        return self


class Lab(Part):
    """What the YAML file of a lab has, with its number and its title."""

    number: str
    title: str
    submission: Literal["allocator", "predictions", "policy", "check", "nat"]
    variant: dict[Name, Number]
    seeds: Annotated[int, Field(ge=1, le=50)] = 1
    """The number of hidden seeds that each requirement is tried with."""
    requirements: dict[Name, Requirement] = {}
    wire: list[Wire] = []
    """The runs of the second rung. A lab without requirements of its own has only these."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Lab:
        if not self.requirements and not self.wire:
            raise ValueError("requirements: has none, and neither has wire:")
        return self

    @model_validator(mode="after")
    def _knows_what_comes_before(self) -> Lab:
        known = set[str]()
        for name, each in self.of_the_wire.items():
            if each.after and each.after not in known:
                raise ValueError(f"after={each.after} of {name} has to be a requirement that comes before")
            known.add(name)
        return self

    @property
    def of_the_wire(self) -> dict[str, OnTheWire]:
        """The requirements of all runs."""
        return {name: each for part in self.wire for name, each in part.requirements.items()}

    @property
    def is_on_the_wire_only(self) -> bool:
        """Whether every requirement is one of the wire's."""
        return not self.requirements

    @property
    def sheet(self) -> Path:
        """The path of the sheet."""
        return _sheet(self.number)

    @property
    def points(self) -> int:
        """The full mark of the first rung; of the wire, if that is all there is."""
        return sum(each.points for each in (self.requirements or self.of_the_wire).values())


def numbers() -> list[str]:
    """Return the numbers of the labs that can be marked."""
    return sorted(path.name.partition("-")[0] for path in (LABS / "marks").glob("[0-9]*.yaml"))


def find(number: str) -> Lab:
    """Return a lab by its number, with or without zeros before it. Raises ConfigurationError."""
    wanted = number.zfill(2)
    if wanted not in numbers():
        known = ", ".join(numbers())
        raise ConfigurationError(f"lab {number!r} is not known; there are {known}: lastport lab list")
    (path,) = (LABS / "marks").glob(f"{wanted}-*.yaml")
    return read(path)


def read(path: Path) -> Lab:
    """Return the lab of a YAML file. Raises ConfigurationError for the first mistake in it."""
    number = path.name.partition("-")[0]
    try:
        content = value_of(path.read_text())
    except (OSError, *UNREADABLE) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: it has to be keys with values, such as requirements:")
    told = {**content, "number": number, "title": _title(number)}
    try:
        return Lab.model_validate(told)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first_mistake(error, told)}") from None


def _sheet(number: str) -> Path:
    (path,) = LABS.glob(f"{number}-*.md")
    return path


def _title(number: str) -> str:
    return _sheet(number).read_text().partition("\n")[0].removeprefix("# ")
