"""The same shares by class of subscribers, and by protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.replay.course import Foreseen, Group


@dataclass(frozen=True, slots=True)
class Row:
    """What was refused of the attempts of one class, or over one protocol."""

    name: str
    attempts: int
    foreseen: float | None
    """The share in a simulation of the lab's size and pace; None if it had no such attempt."""
    core: float
    wire: float

    def as_json(self) -> dict[str, Any]:
        """Return it as results have it."""
        return {
            "name": self.name,
            "attempts": self.attempts,
            "foreseen": self.foreseen,
            "core": self.core,
            "wire": self.wire,
        }

    @staticmethod
    def lines(*tables: Sequence[Row]) -> Iterator[str]:
        """Yield tables as lines of text."""
        yield f"{'refused of':12} {'attempts':>9} {'at this pace':>13} {'same attempts':>14} {'wire':>8}"
        for row in (row for table in tables for row in table):
            foreseen = "" if row.foreseen is None else f"{100 * row.foreseen:.2f} %"
            core, wire = f"{100 * row.core:.2f} %", f"{100 * row.wire:.2f} %"
            yield f"{row.name:12} {row.attempts:>9,} {foreseen:>13} {core:>14} {wire:>8}"


def rows(
    groups: Sequence[Group],
    foreseen: Foreseen,
    of: Sequence[int],
    core: Sequence[bool],
    wire: Sequence[bool],
) -> tuple[list[Row], list[Row]]:
    """Return the rows of each class, and those of each protocol. `of` has the group of each attempt."""

    def row(name: str, wanted: set[int]) -> Row:
        inside = [place for place, group in enumerate(of) if group in wanted]
        offered, refused = (
            sum(counts[group] for group in wanted) for counts in (foreseen.offered, foreseen.refused)
        )
        return Row(
            name,
            len(inside),
            refused / offered if offered else None,
            sum(core[place] for place in inside) / max(1, len(inside)),
            sum(wire[place] for place in inside) / max(1, len(inside)),
        )

    def each(names: Sequence[str]) -> list[Row]:
        found = []
        for name in dict.fromkeys(names):
            one = row(name, {number for number, own in enumerate(names) if own == name})
            if one.attempts:
                found.append(one)
        return found

    return each([group.of for group in groups]), each([group.protocol for group in groups])
