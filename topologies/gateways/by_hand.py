"""What a person at a prompt may ask of any NAT: its table, row by row, and a part of it that is to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """A mapping, or a connection where the NAT keeps connections. What is not known is an empty text.

    Endpoints are `address:port`; of an ICMP query the port is its identifier. `time` is in words: when it was last
    used, or when it ends.
    """

    protocol: str
    inside: str
    external: str
    remote: str = ""
    state: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of a table: the rows of some inside addresses, or of one external endpoint; by default all rows."""

    inside: Sequence[str] | None = None
    protocol: str = ""
    external: str = ""

    def has(self, row: Row) -> bool:
        """Whether a row is selected."""
        return (
            (self.inside is None or row.inside.rpartition(":")[0] in self.inside)
            and self.protocol in ("", row.protocol)
            and self.external in ("", row.external)
        )


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that are shown, and the number of all that were selected."""

    rows: Sequence[Row]
    total: int

    @classmethod
    def of(cls, rows: Sequence[Row], selection: Selection, most: int) -> Table:
        """Return up to `most` of those rows that are selected."""
        found = [row for row in rows if selection.has(row)]
        return cls(found[:most], len(found))
