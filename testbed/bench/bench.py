"""What a bench is: a question about speed, and the trials that answer it.

One repetition goes through all trials once, so that other load on the machine affects every subject alike. A trial
measures one subject, in cells of different parameters. A ratio compares two subjects cell by cell within each
repetition. Only then is the median taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field


class BenchError(Exception):
    """A trial broke before its end, so there is nothing to report of it."""


class BreakOffError(BenchError):
    """A signal asked the bench to end."""


class Parameters(BaseModel):
    """What a user may choose about every bench."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    subjects: list[str] = Field([], description="the subjects to measure; by default all")


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of a subject under some parameters. `details` are further figures, for the series."""

    subject: str
    parameters: dict[str, Any]
    unit: str
    value: float
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """The samples of a trial, and the machine and programs that it ran on."""

    samples: list[Sample]
    environment: dict[str, str]


class Trial(Protocol):
    """One measurement of one subject."""

    @property
    def subject(self) -> str:
        """The name of the subject that is measured."""

    @property
    def title(self) -> str:
        """The words that the progress line shows meanwhile."""

    def lacks(self) -> str:
        """Return the reason why this machine cannot measure the subject, or an empty string."""

    def measure(self) -> Measured:
        """Run the trial, and return what it measured. Raises BenchError if it breaks."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio to report: the figures of one subject to those of another, in one unit."""

    of: str
    to: str
    unit: str


class Bench:
    """One bench. A subclass is one file: its docstring asks the question, and `trials` answer it."""

    name: ClassVar[str]
    Parameters: ClassVar[type[Parameters]] = Parameters
    subjects: ClassVar[tuple[str, ...]]
    ratios: ClassVar[tuple[Ratio, ...]] = ()
    note: ClassVar[str] = ""
    """A caveat that is printed wherever the figures are shown."""

    @classmethod
    def trials(cls, parameters: Any) -> Sequence[Trial]:
        """Return the trials of one repetition. Raises ConfigurationError if the parameters make no sense."""
        raise NotImplementedError

    @classmethod
    def question(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or cls.name).strip().splitlines()[0]
