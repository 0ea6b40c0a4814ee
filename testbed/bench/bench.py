"""What a bench is: a question about speed, and the trials that answer it.

One repetition goes through all trials once, so that whatever else the machine does meets every subject alike. A
trial measures one subject, in cells of different parameters. A ratio compares two subjects cell by cell within
each repetition, and only then is the median taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field


class BenchError(Exception):
    """A trial did not come to its end, so there is nothing to report."""


class BreakOffError(BenchError):
    """A signal asked us to end."""


class Parameters(BaseModel):
    """What a user may choose about every bench."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    subjects: list[str] = Field([], description="who is measured; by default all")


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure: of whom, under which parameters; `details` are what else was seen, for the series."""

    subject: str
    parameters: dict[str, Any]
    unit: str
    value: float
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trial has measured, and on what."""

    samples: list[Sample]
    environment: dict[str, str]


class Trial(Protocol):
    """One subject, measured once."""

    @property
    def subject(self) -> str:
        """Who is measured."""

    @property
    def title(self) -> str:
        """What a person sees meanwhile."""

    def lacks(self) -> str:
        """Return why this machine cannot measure it, or nothing."""

    def measure(self) -> Measured:
        """Measure. Raises BenchError."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio that is reported: of one subject to another, of figures of one unit."""

    of: str
    to: str
    unit: str


class Bench:
    """One bench. A subclass is one file: its docstring the question, `trials` what is done to answer it."""

    name: ClassVar[str]
    Parameters: ClassVar[type[Parameters]] = Parameters
    subjects: ClassVar[tuple[str, ...]]
    ratios: ClassVar[tuple[Ratio, ...]] = ()
    note: ClassVar[str] = ""
    """What must be said wherever its figures are shown."""

    @classmethod
    def trials(cls, parameters: Any) -> Sequence[Trial]:
        """Return the trials of one repetition. Raises ConfigurationError if the parameters make no sense."""
        raise NotImplementedError

    @classmethod
    def question(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or cls.name).strip().splitlines()[0]
