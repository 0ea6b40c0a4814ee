"""What the recording of a run shows of the ports: how many were taken when, and which, as maps.

A map has a cell for each port that mappings may have at an address and protocol, in ascending order: 256 in a row
for a full pool, and a squarer picture for fewer ports. The recording is read once, and what is kept of it has a
limit.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.nat.port_set import Ports, ranges_of
from controller.settings import ConfigurationError, Settings, checked
from testbed.recording import Event, Kind, Recording, RecordingError, Text
from testbed.recording.format import Texts
from testbed.recording.replay import Phase, Pool, Port, State
from testbed.report.charts import Axes, Drawn, Line, lines
from testbed.report.png import Colour, data_uri, png
from testbed.report.words import cut, number, plural

STRIP = 12
"""The instants of which a strip shows the map."""
MOST_MAPS = 4
MOST_RANGES = 4
"""The ranges of ports that a sentence names."""
MOST_GATEWAYS = 4
FULL_WIDTH = 256
SMALL = 1024
"""A pool with fewer ports has a map that costs next to nothing."""
LARGE_STEP = 1.02
"""By how much a larger pool has to be fuller for another map."""
MOST_MARKS = 200
"""The marks of refused packets that are drawn at most, one for each instant."""
INSTANTS = 2000
"""The instants of which the number of taken ports is kept."""
PALETTE: tuple[Colour, ...] = ((226, 229, 233), (0, 114, 178), (86, 180, 233), (230, 159, 0), (204, 121, 167))
STATES = ("free", *Phase)
"""The states of a port, in the order of the palette."""
Maps = dict[Pool, bytearray]
"""For each pool a byte for each port, its state."""


@dataclass(frozen=True, slots=True)
class Map:
    """All ports of one address and protocol at one instant."""

    title: str
    image: str
    text: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a recording shows of the ports. `lacking` is why it shows nothing, if so."""

    lacking: str = ""
    over_time: Sequence[Drawn] = ()
    full: Sequence[Map] = ()
    strip: Sequence[Map] = ()
    legend: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    numbers: str = ""
    """What number a cell of a map stands for, as a sentence."""


@dataclass(slots=True)
class _Taken:
    """The number of ports that are taken, as it changed, and the instants at which packets were refused."""

    taken: int = 0
    most: int = 0
    points: list[tuple[float, float]] = field(default_factory=list)
    refused: set[float] = field(default_factory=set)
    refusals: int = 0


class _Watched:
    """What is kept of a recording while it is read: the numbers over time, and the maps of some instants."""

    def __init__(self, ports: Ports, last: float) -> None:
        """Watch pools of these ports for a recording that ends `last` seconds after its beginning."""
        self.state = State()
        self.taken: defaultdict[str, _Taken] = defaultdict(_Taken)
        self.strip: list[tuple[float, Maps]] = []
        self.fullest: tuple[int, float, Maps] = (0, 0.0, {})
        self._instants = [last * (place + 1) / STRIP for place in range(STRIP)]
        self._ports, self._last, self._every = ports, last, last / INSTANTS
        self._total, self._enough = 0, 0.0

    def take(self, record: Event | Text) -> None:
        """Take note of the next record."""
        while self._instants and record.time > self._instants[0]:
            self.strip.append((self._instants.pop(0), _maps(self.state, self._ports)))
        kind = record.kind
        if kind in _ENDS and self._total > self._enough:
            self._keep_fullest(record.time)  # until now it has become fuller
        if isinstance(record, Text):
            self.state.apply(record)
        elif kind is Kind.ALLOCATED or kind is Kind.RELEASED:
            before = self._is_taken(record)
            self.state.apply(record)
            change = self._is_taken(record) - before  # 0 for one of several mappings that share the port
            self._total += change
            _count(self.taken[record.gateway], record.time, change, self._every)
        else:
            self.state.apply(record)
            if kind is Kind.REFUSED:
                _refuse(self.taken[record.gateway], record.time, self._every)

    def _is_taken(self, event: Event) -> bool:
        """Return whether the port of an event has a mapping."""
        ports = self.state.ports.get((event.gateway, event.address, event.protocol), {})
        return event.port in ports and ports[event.port].mappings > 0

    def finish(self) -> None:
        """Take note of the end."""
        if self._total > self.fullest[0]:
            self._keep_fullest(self._last)
        self.strip += [(instant, _maps(self.state, self._ports)) for instant in self._instants]

    def _keep_fullest(self, time: float) -> None:
        self.fullest = (self._total, time, _maps(self.state, self._ports))
        self._enough = self._total * (1.0 if len(self._ports) <= SMALL else LARGE_STEP)


def seen(folder: Path, run: Mapping[str, Any]) -> Seen:
    """Return what the recording in a run's folder shows. It never raises for what is in the file."""
    try:
        recording = Recording.open(folder)
        return _seen(recording, run)
    except FileNotFoundError:
        return Seen("This run has no recording, so its ports over time are not known.")
    except (RecordingError, OSError) as error:
        return Seen(f"The recording of this run cannot be read: {cut(error, 200)}.")


def _seen(recording: Recording, run: Mapping[str, Any]) -> Seen:
    ports = _ports(run)
    watched = _Watched(ports, max(recording.seconds, 0.001))
    for record in recording:
        watched.take(record)
    watched.finish()
    taken, strip, (_, at_fullest, fullest) = watched.taken, watched.strip, watched.fullest
    if not taken:
        return Seen("The recording has no event of a port: what this gateway does with its ports is not known.")
    pools = _pools(strip, fullest)
    return Seen(
        over_time=[_over_time(name, each, run, place) for place, (name, each) in enumerate(taken.items())][
            :MOST_GATEWAYS
        ],
        full=[
            _map(f"{_name(pool)}, at its fullest", at_fullest, fullest[pool]) for pool in pools if pool in fullest
        ],
        strip=[_map("", at, maps[pools[0]]) for at, maps in strip if pools and pools[0] in maps],
        legend=[(name, "#" + bytes(colour).hex()) for name, colour in zip(STATES, PALETTE, strict=True)],
        notes=_notes(recording, watched.state),
        numbers=_numbers(ports),
    )


_ENDS = (Kind.RELEASED, Texts.PHASE)
"""The kinds of records before which the ports may be at their fullest."""


def _count(taken: _Taken, time: float, change: int, every: float) -> None:
    taken.taken += change
    taken.most = max(taken.most, taken.taken)
    if taken.points and time - taken.points[-1][0] < every and len(taken.points) > 1:
        taken.points[-1] = (taken.points[-1][0], float(taken.taken))
    else:
        taken.points.append((time, float(taken.taken)))


def _refuse(taken: _Taken, time: float, every: float) -> None:
    taken.refusals += 1
    if len(taken.refused) < MOST_MARKS:
        taken.refused.add(round(time / every / (INSTANTS / MOST_MARKS)) * every * (INSTANTS / MOST_MARKS))


def _ports(run: Mapping[str, Any]) -> Ports:
    """Return the ports of each address, or all that there may be if the results make no sense."""
    settings = run.get("settings", {})
    written = {key: settings[key] for key in ("ports", "reserved_ports") if key in settings}
    try:
        return checked(Settings, written, kind="setting").port_set
    except ConfigurationError:
        return Settings().port_set


def _numbers(ports: Ports) -> str:
    """Return what number a cell of a map stands for, as a sentence."""
    grow = "the numbers grow from left to right and then downward"
    if len(ranges := ranges_of(ports)) == 1:
        return f"A cell is a port: the first is {ports[0]}, and {grow}."
    shown = [f"{each[0]}-{each[-1]}" if len(each) > 1 else f"{each[0]}" for each in ranges[:MOST_RANGES]]
    more = f", and {len(ranges) - MOST_RANGES} more" if len(ranges) > MOST_RANGES else ""
    return f"A cell is a port of one of {len(ranges)} ranges ({', '.join(shown)}{more}), and {grow}."


def _maps(state: State, ports: Ports) -> Maps:
    """Return for each pool a byte for each port, its state."""
    return {pool: _cells(known, ports) for pool, known in [*state.ports.items()][: 4 * MOST_MAPS] if known}


def _cells(known: Mapping[int, Port], ports: Ports) -> bytearray:
    cells = bytearray(len(ports))
    for port, each in known.items():
        if port in ports:
            cells[ports.index(port)] = _INDEX[each.phase]
    return cells


_INDEX = {phase: STATES.index(phase) for phase in Phase}


def _pools(strip: Sequence[tuple[float, Maps]], fullest: Mapping[Pool, bytearray]) -> list[Pool]:
    """Return the pools that had most ports taken, the fullest first."""
    known = {**{pool: cells for _, maps in strip for pool, cells in maps.items()}, **fullest}
    return sorted(known, key=lambda pool: (known[pool].count(0), pool))[:MOST_MAPS]


def _name(pool: Pool) -> str:
    gateway, address, protocol = pool
    return " ".join(filter(None, [cut(gateway, 40), cut(address, 40), protocol.upper()]))


def _map(title: str, at: float, cells: bytearray) -> Map:
    width = min(FULL_WIDTH, 2 ** math.ceil(math.log2(max(len(cells), 1)) / 2))
    padded = cells + bytearray(-len(cells) % width)
    counts = [f"{number(cells.count(index))} {name}" for index, name in enumerate(STATES) if cells.count(index)]
    return Map(
        title=f"{title} ({at:,.2f} s)" if title else f"{at:,.2f} s",
        image=data_uri(png(padded, width, PALETTE)),
        text=f"{plural(len(cells), 'port')} at {at:,.2f} s: {', '.join(counts)}",
        width=width,
        height=len(padded) // width,
    )


def _over_time(gateway: str, taken: _Taken, run: Mapping[str, Any], place: int) -> Drawn:
    marks = sorted(taken.refused)
    were = "was" if taken.refusals == 1 else "were"
    text = f"At most {plural(taken.most, 'port')} had a mapping at once. {plural(taken.refusals, 'packet')} that "
    text += f"could begin a connection {were} refused{', at the marks on the axis' if marks else ''}."
    capacity = _capacity(run)
    axes = Axes(
        "seconds since the recording began",
        "ports with a mapping",
        marks=marks,
        limit=capacity if capacity and capacity >= taken.most else None,
        limited=f"all {capacity:,.0f} ports" if capacity else "",
    )
    title = f"Ports in use over time{f': {cut(gateway, 40)}' if gateway else ''}"
    first = [(0.0, 0.0)] if taken.points and taken.points[0][0] > 0 else []
    drawn = [Line("ports in use", [*first, *taken.points] or [(0.0, 0.0)], steps=True)]
    key = f"over-time-{place}"
    return Drawn(title, lines(key, title, text, drawn, axes), text)


def _capacity(run: Mapping[str, Any]) -> float | None:
    """Return the ports of the pool, if one protocol at its addresses is all that the run is about."""
    addresses = run.get("settings", {}).get("external_addresses")
    one = run.get("parameters", {}).get("protocol") in ("tcp", "udp")
    return float(len(_ports(run)) * len(addresses)) if one and isinstance(addresses, list) else None


def _notes(recording: Recording, state: State) -> list[str]:
    """Return what limits the figures: how the gateway was watched, missed events, a file that is cut off."""
    notes = []
    gateways = recording.header.get("gateways")
    for name, facts in [*gateways.items()][:MOST_GATEWAYS] if isinstance(gateways, dict) else []:
        how = facts.get("how") if isinstance(facts, dict) else None
        if isinstance(how, str):
            notes.append(f"{cut(name, 40)} was watched by {cut(how, 200)}.")
    if missed := sum(state.missed.values()):
        notes.append(f"{plural(missed, 'event')} could not be recorded, so the figures may be off by that number.")
    if not recording.is_complete:
        notes.append("The recording is cut off before the run's end.")
    return notes
