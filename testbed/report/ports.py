"""What the recording of a run shows of the ports: how many were taken when, and which, as maps.

A map has a cell for each port of an address and protocol, from 1024 upward: 256 in a row for a full pool, and a
squarer picture for fewer ports. The recording is read once, and what is kept of it has a limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.settings import FIRST_PORT, MOST_PORTS
from testbed.recording import Kind, Recording, RecordingError, Text
from testbed.recording.replay import Phase, Pool, Port, State
from testbed.report.charts import Axes, Drawn, Line, lines
from testbed.report.png import Colour, data_uri, png
from testbed.report.words import cut, number, plural

STRIP = 12
"""The instants of which a strip shows the map."""
MOST_MAPS = 4
MOST_GATEWAYS = 4
FULL_WIDTH = 256
SMALL = 1024
"""A pool with fewer ports has a map that costs next to nothing."""
MOST_MARKS = 200
"""The marks of refused packets that are drawn at most, one for each instant."""
INSTANTS = 2000
"""The instants of which the number of taken ports is kept."""
PALETTE: tuple[Colour, ...] = ((226, 229, 233), (0, 114, 178), (86, 180, 233), (230, 159, 0), (204, 121, 167))
STATES = ("free", *Phase)
"""The states of a port, in the order of the palette."""


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


@dataclass(slots=True)
class _Taken:
    """The number of ports that are taken, as it changed, and the instants at which packets were refused."""

    taken: int = 0
    most: int = 0
    points: list[tuple[float, float]] = field(default_factory=list)
    refused: set[float] = field(default_factory=set)
    refusals: int = 0


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
    last = max(recording.seconds, 0.001)
    every = last / INSTANTS
    instants = [last * (place + 1) / STRIP for place in range(STRIP)]
    state, taken = State(), dict[str, _Taken]()
    strip: list[tuple[float, dict[Pool, bytearray]]] = []
    fullest: tuple[int, float, dict[Pool, bytearray]] = (0, 0.0, {})
    size, total = _size(run), 0
    for record in recording:
        while instants and record.time > instants[0]:
            strip.append((instants.pop(0), _maps(state, size)))
        if total > _enough(fullest[0], size) and (isinstance(record, Text) or record.kind is Kind.RELEASED):
            fullest = (total, record.time, _maps(state, size))  # until now it has become fuller
        state.apply(record)
        if isinstance(record, Text):
            continue
        change = _CHANGES.get(record.kind, 0)
        total += change
        if change or record.kind is Kind.REFUSED:
            _count(taken.setdefault(record.gateway, _Taken()), record.time, change, every)
    if total > fullest[0]:
        fullest = (total, last, _maps(state, size))
    strip += [(instant, _maps(state, size)) for instant in instants]
    if not taken:
        return Seen("The recording has no event of a port: what this gateway does with its ports is not known.")
    pools = _pools(strip, fullest[2])
    return Seen(
        over_time=[_over_time(name, each, run, place) for place, (name, each) in enumerate(taken.items())][
            :MOST_GATEWAYS
        ],
        full=[
            _map(f"{_name(pool)}, at its fullest", fullest[1], fullest[2][pool])
            for pool in pools
            if pool in fullest[2]
        ],
        strip=[_map("", at, maps[pools[0]]) for at, maps in strip if pools and pools[0] in maps],
        legend=[(name, "#" + bytes(colour).hex()) for name, colour in zip(STATES, PALETTE, strict=True)],
        notes=_notes(recording, state),
    )


def _enough(before: int, size: int) -> float:
    """Return the number of ports from which a map is made anew: of a large pool not for every single one."""
    return before if size <= SMALL else before * 1.02


_CHANGES = {Kind.ALLOCATED: 1, Kind.RELEASED: -1}


def _count(taken: _Taken, time: float, change: int, every: float) -> None:
    if change:
        taken.taken = max(0, taken.taken + change)
        taken.most = max(taken.most, taken.taken)
        if taken.points and time - taken.points[-1][0] < every and len(taken.points) > 1:
            taken.points[-1] = (taken.points[-1][0], float(taken.taken))
        else:
            taken.points.append((time, float(taken.taken)))
    else:
        taken.refusals += 1
        if len(taken.refused) < MOST_MARKS:
            taken.refused.add(round(time / every / (INSTANTS / MOST_MARKS)) * every * (INSTANTS / MOST_MARKS))


def _size(run: Mapping[str, Any]) -> int:
    """Return the number of ports of each address."""
    ports = run.get("settings", {}).get("ports")
    return ports if isinstance(ports, int) and 1 <= ports <= MOST_PORTS else MOST_PORTS


def _maps(state: State, size: int) -> dict[Pool, bytearray]:
    """Return for each pool a byte for each port, its state."""
    return {pool: _cells(ports, size) for pool, ports in [*state.ports.items()][: 4 * MOST_MAPS] if ports}


def _cells(ports: Mapping[int, Port], size: int) -> bytearray:
    cells = bytearray(size)
    for port, known in ports.items():
        if FIRST_PORT <= port < FIRST_PORT + size:
            cells[port - FIRST_PORT] = _INDEX[known.phase]
    return cells


_INDEX = {phase: STATES.index(phase) for phase in Phase}


def _pools(strip: Sequence[tuple[float, dict[Pool, bytearray]]], fullest: Mapping[Pool, bytearray]) -> list[Pool]:
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
    settings, parameters = run.get("settings", {}), run.get("parameters", {})
    ports, addresses = settings.get("ports"), settings.get("external_addresses")
    one = parameters.get("protocol") in ("tcp", "udp")
    return (
        float(ports * len(addresses)) if one and isinstance(ports, int) and isinstance(addresses, list) else None
    )


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
