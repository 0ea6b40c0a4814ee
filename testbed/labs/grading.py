"""A mark with reasons: each requirement, won or lost, with what was seen and what was expected.

Everything here is computed by this process. Of the submission there are values only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from controller.settings import ConfigurationError, unknown_key
from testbed.labs import predictions, wire
from testbed.labs.kinds import KNOWN, trying
from testbed.labs.lab import Expected, Lab, Requirement, Wire
from testbed.labs.submission import DiedError, Hidden, content, opened
from testbed.labs.trial import WrongError
from testbed.labs.variants import Course, Variant

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
    packets: bytes = field(default=b"", repr=False)
    """The packets of that second, as a capture, where a point was lost on the wire."""

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

    def capture(self, item: Item) -> str:
        """Return the name of the file with the packets of an item's second, or an empty text."""
        return f"{self.student or 'submission'}-{item.requirement}.pcapng" if item.packets else ""

    @property
    def score(self) -> int:
        """The points that it gets."""
        return sum(item.points for item in self.items)

    @property
    def of(self) -> int:
        """The full mark."""
        return sum(item.of for item in self.items)

    @property
    def why_nothing(self) -> str:
        """The one reason for which every point is lost, such as a file that cannot be imported, or nothing."""
        if any(item.is_won for item in self.items):
            return ""
        seen = {item.seen for item in self.items[: len(self.lab.requirements)] or self.items}
        return seen.pop() if len(seen) == 1 else ""


def grade(lab: Lab, file: Path, course: Course, student: str | None, hidden: Hidden, *, rungs: int = 1) -> Mark:
    """Return the mark of a submission, on one rung or both. Raises ConfigurationError and MachineError."""
    if rungs == 2 and not lab.wire:
        raise ConfigurationError(f"lab {lab.number} has nothing to try on the wire; leave out --wire")
    variant, seeds = course.variant(lab, student), course.seeds(lab, student)
    return mark(lab, file, variant, seeds, student or "", hidden, rungs=rungs)


def mark(
    lab: Lab, file: Path, variant: Variant, seeds: list[int], student: str, hidden: Hidden, *, rungs: int = 1
) -> Mark:
    """Return the mark of a submission with these numbers, tried with these seeds, on one rung or both."""
    require_known(lab)
    got = Mark(lab, student, variant, ())
    if lab.is_on_the_wire_only:
        content(file)  # what cannot be read is refused, and no run is made
    if lab.submission == "predictions":
        compared = partial(predictions.compared, predictions.read(file), variant)
        got = replace(got, items=_items(lab, compared))
    elif not lab.is_on_the_wire_only:
        with opened(file, hidden, lab.submission) as submission:
            items = _items(lab, trying(lab.submission, submission, variant, seeds))
        got = replace(got, items=items, said=submission.said[:SAID])
    if rungs == 1 and not lab.is_on_the_wire_only:
        return got
    return _on_the_wire(got, file, hidden)


def _items(lab: Lab, tried: Callable[[str], str]) -> tuple[Item, ...]:
    return tuple(_item(each, name, partial(tried, name)) for name, each in lab.requirements.items())


def _on_the_wire(mark: Mark, file: Path, hidden: Hidden) -> Mark:
    """Return a mark with the requirements of each run on the wire as well. Raises MachineError."""
    items, said, broke = list[Item](), mark.said, ""
    silent: dict[str, bool] = {}
    for part in mark.lab.wire:
        ran, why = wire.Ran(), ""
        try:
            ran = wire.run(mark.lab, part, file, mark.variant, hidden)
        except (wire.RefusedError, ConfigurationError) as error:
            why = str(error)
        except wire.BrokeError as error:
            why = broke = f"the run broke: {error}"
        said += ran.said
        if part.finds is Expected.NOTHING:
            silent[part.file] = not (why or ran.why or ran.alarms)
        for name, each in part.requirements.items():
            won = {item.requirement for item in items if item.is_won}
            item = _item(each, name, partial(_met, part, name, ran, silent, why, won))
            items.append(item if item.is_won else replace(item, packets=ran.packets.get(each.phase, b"")))
    return replace(mark, items=(*mark.items, *items), said=said[:SAID], broke=broke)


def _met(part: Wire, name: str, ran: wire.Ran, silent: Mapping[str, bool], why: str, won: Collection[str]) -> str:
    """Return what a run observed. Raises WrongError if the requirement is not met, or one before it is not."""
    if why:
        raise WrongError(why, "a run to its end")
    if (before := part.requirements[name].after) and before not in won:
        raise WrongError(f"{before} is not met, so this shows nothing", f"{before} first")
    is_met, seen, expected = wire.judged(part, name, ran, silent)
    if not is_met:
        raise WrongError(seen, expected)
    return seen


def require_known(lab: Lab) -> None:
    """Raise ConfigurationError if a requirement in the YAML file is none that can be tried."""
    for name in lab.requirements:
        if name not in KNOWN[lab.submission]:
            raise ConfigurationError(
                f"lab {lab.number}: {unknown_key(name, [*KNOWN[lab.submission]], kind='requirement')}"
            )


def _item(requirement: Requirement, name: str, trying: Callable[[], str]) -> Item:
    points, expected, calls = requirement.points, "", tuple[str, ...]()
    try:
        seen = trying()
    except WrongError as error:
        points, seen, expected, calls = 0, error.seen, error.expected, error.calls
    except DiedError as error:
        points, seen, expected = 0, f"the submission {error}", "a submission that answers"
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
