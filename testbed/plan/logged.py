"""What a NAT logs in a day: the lines and bytes of each kind of log, counted while attempts arrive."""

from __future__ import annotations

from typing import Any

from controller.nat.events import Event, MappingCreated, MappingReleased
from controller.nat.port_set import divided
from controller.nat.settings import NatSettings
from controller.nat.strategies.allocators import ALLOCATORS
from testbed.natlog.keeping import Log

DAY_S = 86_400
AT = "2026-11-29T10:02:00.250Z"
"""A time as lines have it: all are equally long."""


class Logged:
    """The logs that a NAT would keep, of which only the volume is kept."""

    def __init__(self, nat: NatSettings) -> None:
        blocks = divided(nat.ports, nat.port_set_size)
        self._mappings = Log("mappings", blocks)
        self._blocks = Log("blocks", blocks) if nat.allocator is ALLOCATORS["blocks"] else None
        self._before = 0, 0, 0, 0

    def hear(self, event: Event, now: float) -> None:
        """Log the beginning or the end of a mapping."""
        if isinstance(event, MappingCreated):
            mapping, is_new = event.mapping, True
        elif isinstance(event, MappingReleased):
            mapping, is_new = event.mapping, False
        else:
            return
        external = mapping.external
        what = AT, mapping.protocol.name.lower(), external >> 16, external & 0xFFFF, mapping.internal >> 16
        if not is_new:
            self._mappings.released(*what)
            return
        self._mappings.created(*what)
        if self._blocks is not None:
            self._blocks.created(*what)

    def begin(self) -> None:
        """Forget what was logged so far."""
        self._before = self._counts()

    def _counts(self) -> tuple[int, int, int, int]:
        mappings, blocks = self._mappings.volume, (self._blocks or self._mappings).volume
        return mappings.lines, mappings.size, blocks.lines, blocks.size

    def in_a_day(self, seconds: float) -> dict[str, Any]:
        """Return the volume of each kind in a day like these seconds; null where a kind is not possible.

        Every subscriber gets its first blocks once in a day: those of the warm-up.
        """
        counts = [now - before for now, before in zip(self._counts(), self._before, strict=True)]
        lines = [round(count * DAY_S / seconds) for count in counts]
        for place in (2, 3):
            lines[place] += self._before[place]
        return {
            "mappings": {"lines": lines[0], "bytes": lines[1]},
            "blocks": {"lines": lines[2], "bytes": lines[3]} if self._blocks is not None else None,
            "deterministic": {"lines": 0, "bytes": 0},
        }
