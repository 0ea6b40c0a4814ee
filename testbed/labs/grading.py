"""A mark with reasons: each requirement, won or lost, with what was seen and what was expected.

Everything here is computed by this process. Of the submission there are values only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError, unknown_key
from testbed.labs import allocator, predictions, wire
from testbed.labs.lab import Lab, Requirement, Wire
from testbed.labs.submission import DiedError, Hidden, Submission, opened
from testbed.labs.trial import WrongError
from testbed.labs.variants import Course, Variant

KNOWN = {"allocator": tuple(allocator.REQUIREMENTS), "predictions": tuple(predictions.EXPECTED)}
"""The requirements that can be tried, for each kind of submission."""
SAID = 4000
"""The characters that a page shows of what a submission printed."""


@dataclass(frozen=True, slots=True)
class Item:
    """A requirement of one submission."""

    requirement: str
    points: int
    of: int
    seen: str
    expected: str
    asks: str
    source: str
    hint: str
    calls: tuple[str, ...] = ()
    """The calls just before what was seen."""

    @property
    def is_won(self) -> bool:
        """Whether it is met. A requirement without points may be lost, too."""
        return not self.expected

    @property
    def sentence(self) -> str:
        """What became of it, in a sentence."""
        return f"{self.asks} Seen: {self.seen}." + f" Expected: {self.expected}." * (not self.is_won)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a submission gets."""

    lab: Lab
    student: str
    variant: Variant
    items: tuple[Item, ...]
    said: str = ""
    """What the submission printed. It has no weight."""
    broke: str = ""
    """Why it could not be tried on the wire, if no run came to its end: then it has to be graded again."""

    @property
    def score(self) -> int:
        """The points that it gets."""
        return sum(item.points for item in self.items)

    @property
    def of(self) -> int:
        """The full mark."""
        return sum(item.of for item in self.items)


def grade(lab: Lab, file: Path, course: Course, student: str | None, hidden: Hidden, *, rungs: int = 1) -> Mark:
    """Return the mark of a submission, on one rung or both. Raises ConfigurationError and MachineError."""
    if rungs == 2 and lab.wire is None:
        raise ConfigurationError(f"lab {lab.number} has nothing to try on the wire; leave out --wire")
    got = mark(lab, file, course.variant(lab, student), course.seeds(lab, student), student or "", hidden)
    return _on_the_wire(got, file, lab.wire) if rungs == 2 and lab.wire else got


def mark(lab: Lab, file: Path, variant: Variant, seeds: list[int], student: str, hidden: Hidden) -> Mark:
    """Return the mark of a submission with these numbers, and tried with these seeds."""
    require_known(lab)
    empty = Mark(lab, student, variant, ())
    if lab.submission == "predictions":
        found = predictions.read(file)
        compared = partial(predictions.compared, found, variant)
        return replace(
            empty,
            items=tuple(_item(each, name, partial(compared, name)) for name, each in lab.requirements.items()),
        )
    with opened(file, hidden) as submission:
        items = [
            _item(each, name, _tried(submission, variant, seeds, name)) for name, each in lab.requirements.items()
        ]
    return replace(empty, items=tuple(items), said=submission.said[:SAID])


def _on_the_wire(mark: Mark, file: Path, rung: Wire) -> Mark:
    """Return a mark with the requirements of the second rung as well. Raises MachineError."""
    checks: dict[str, dict[str, Any]] = {}
    why = broke = ""
    try:
        checks = wire.run(file, rung.scenario, rung.settings)
    except wire.RefusedError as error:
        why = str(error)
    except wire.BrokeError as error:
        why = broke = f"the run broke: {error}"
    items = [_item(each, name, partial(_check, checks, name, why)) for name, each in rung.requirements.items()]
    return replace(mark, items=(*mark.items, *items), broke=broke)


def _check(checks: dict[str, dict[str, Any]], name: str, why: str) -> str:
    """Return what a check of a run observed. Raises WrongError if it did not hold."""
    if why or name not in checks:
        raise WrongError(why or "the run did not make this check", "a run to its end")
    observed, expected = (str(checks[name][key])[:200] for key in ("observed", "expected"))
    if not checks[name]["ok"]:
        raise WrongError(observed, expected)
    return observed


def require_known(lab: Lab) -> None:
    """Raise ConfigurationError if a requirement in the YAML file is none that can be tried."""
    for name in lab.requirements:
        if name not in KNOWN[lab.submission]:
            raise ConfigurationError(
                f"lab {lab.number}: {unknown_key(name, [*KNOWN[lab.submission]], kind='requirement')}"
            )


def _tried(submission: Submission, variant: Variant, seeds: list[int], name: str) -> Callable[[], str]:
    """Return what tries a requirement with each seed, and returns what was seen with the last."""

    def trying() -> str:
        seen = ""
        for seed in seeds[:1] if name in allocator.ONCE else seeds:
            seen = allocator.REQUIREMENTS[name](allocator.Tried(submission, variant, seed))
        return seen

    return trying


def _item(requirement: Requirement, name: str, trying: Callable[[], str]) -> Item:
    points, expected, calls = requirement.points, "", tuple[str, ...]()
    try:
        seen = trying()
    except WrongError as error:
        points, seen, expected, calls = 0, error.seen, error.expected, error.calls
    except DiedError as error:
        points, seen, expected = 0, f"the submission {error}", "values"
    return Item(
        name,
        points,
        requirement.points,
        seen,
        expected,
        requirement.asks,
        requirement.source,
        requirement.hint,
        calls,
    )
