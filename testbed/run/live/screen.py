"""The picture of a run, as lines that fit a size: the first to go, where there is little room, are old events.

A narrow terminal has 40 columns. A low one has a line for the phase, and then for what there is room.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from testbed.run.live import bar
from testbed.run.live.watched import Nat, Phase, Watched
from testbed.run.live.words import Event
from topologies.gateways.gauges import PortGauge

WIDEST = 100
"""Columns that are used at most."""
LONGEST_NAME = 24
MOST_EVENTS = 6
MOST_PHASES = 5
"""Phases that are shown at most while a run goes on."""
LAST_PHASES = 20
"""Phases that are shown at most when it is over."""
FEWEST_BARS = 3
NOT_KNOWN = "not known"
MARKS = {True: ("✓", "green"), False: (">", "cyan")}
"""The marks of a phase that is over, and of one that goes on."""


@dataclass(frozen=True, slots=True)
class Size:
    """What lines have to fit: columns, rows, and whether the letters are ASCII only."""

    width: int
    height: int
    ascii_only: bool = False

    @property
    def columns(self) -> int:
        """The columns to use; the last one stays free, since some terminals begin a new line there."""
        return max(1, min(self.width - 1, WIDEST))

    def fit(self, line: Text) -> Text:
        """Return a line that is not wider. It is cut if it must be."""
        line.truncate(self.columns, overflow="crop" if self.ascii_only else "ellipsis")
        return line


def frame(run: Watched, size: Size, now: float) -> list[Text]:
    """Return the lines that show a run now: at most `height`, each at most `width` wide."""
    room = max(1, size.height - 1)
    current = _phases(run, size, now, run.phases[-1:])
    title = [_title(run, size, now)]
    pools = _pools(run, size, (room - len(current) - len(title)) // 2)
    figures = _figures(run, size)
    events = [line for each in list(run.events)[-MOST_EVENTS:] for line in _event(each, size)]
    before = _phases(run, size, now, run.phases[-MOST_PHASES:-1])
    left = room
    shares = []
    for part in (current, title, pools, figures, events, before):
        taken = min(len(part), left)
        shares.append(taken)
        left -= taken
    current, title, pools, figures = (
        part[:share] for part, share in zip((current, title, pools, figures), shares[:4], strict=True)
    )
    events, before = (events[len(events) - shares[4] :], before[len(before) - shares[5] :])
    blocks = [[*title, *before, *current], [*pools, *figures], events]
    filled = [block for block in blocks if block]
    gaps = len(filled) - 1 <= left
    lines: list[Text] = []
    for block in filled:
        lines += [Text()] if lines and gaps else []
        lines += block
    return [size.fit(line) for line in lines]


def last_frame(run: Watched, size: Size, now: float) -> list[Text]:
    """Return the lines that stay when a run is over: one if it was one of several, and else its phases."""
    if run.place and run.verdict:
        return [size.fit(Text(f"{run.place}  {run.verdict.upper():<5}  {run.title}, {run.since(now):.1f} s"))]
    shown = run.phases[-LAST_PHASES:]
    lines = [size.fit(Text(run.title, style="bold"))]
    if more := run.begun - len(shown):
        lines.append(Text(f"  {more} more phases"))
    return lines + [size.fit(line) for line in _phases(run, size, now, shown)]


def _title(run: Watched, size: Size, now: float) -> Text:
    title = Text(f"{run.place}  {run.title}" if run.place else run.title, style="bold")
    age = f"{run.since(now):.0f} s"
    title.truncate(max(1, size.columns - len(age) - 2), overflow="crop" if size.ascii_only else "ellipsis")
    return Text.assemble(title, " " * max(2, size.columns - title.cell_len - len(age)), (age, "dim"))


def _phases(run: Watched, size: Size, now: float, phases: Sequence[Phase]) -> list[Text]:
    names = [each.name for each in run.phases[-MOST_PHASES:]]
    widest = min(LONGEST_NAME, size.columns // 3, max(map(len, names), default=0))
    return [_phase(each, widest, size, now) for each in phases]


def _phase(phase: Phase, widest: int, size: Size, now: float) -> Text:
    mark, style = MARKS[phase.ended is not None]
    name = Text(phase.name)
    name.truncate(widest, overflow="crop" if size.ascii_only else "ellipsis", pad=True)
    line = Text.assemble((mark, style), " ", name, "  ")
    if phase.ended is not None or not phase.total:
        return line.append(f"{phase.seconds(now):.1f} s" if phase.ended else f"{phase.seconds(now):.0f} s")
    count = f" {phase.done:,} of {phase.total:,}"
    width = size.columns - line.cell_len - len(count)
    return line.append(bar.progress(phase.done, phase.total, width, ascii_only=size.ascii_only)).append(count)


def _pools(run: Watched, size: Size, most: int) -> list[Text]:
    """Return the ports of each address, in two lines each, or in one where there are many or little room."""
    pools = list(run.ports)
    unknown = [name for name, nat in run.nats.items() if not nat.ports]
    lines = [Text(f"ports of {name}: {NOT_KNOWN}") for name in unknown]
    most = max(most, FEWEST_BARS)
    if len(pools) <= most // 2:
        return [line for each in pools for line in _in_full(*each, size)] + lines
    lines += [_in_one_line(*each, size) for each in pools[:most]]
    if others := pools[most:]:
        used = sum(each.allocated for _, each in others)
        lines.append(Text(f"{len(others)} more, with {used:,} ports in use"))
    return lines


def _in_full(gateway: str, gauge: PortGauge, size: Size) -> list[Text]:
    name = _name(gateway, gauge)
    width = size.columns - len(name) - 1
    drawn = [] if gauge.free is None else [bar.ports(gauge, width, ascii_only=size.ascii_only)]
    return [Text(" ").join([Text(name), *drawn]), *_joined(bar.legend(gauge, ascii_only=size.ascii_only), size)]


def _joined(parts: Sequence[Text], size: Size) -> list[Text]:
    """Return the parts in as few lines as they fit, each with two blanks before it."""
    lines = [Text()]
    for part in parts:
        if lines[-1] and lines[-1].cell_len + part.cell_len + 2 > size.columns:
            lines.append(Text())
        lines[-1].append("  ").append(part)
    return lines


def _in_one_line(gateway: str, gauge: PortGauge, size: Size) -> Text:
    name, total = _name(gateway, gauge), sum(count or 0 for count in bar.counts(gauge))
    numbers = f"{gauge.allocated:,}" + ("" if gauge.free is None else f" of {total:,}")
    width = size.columns - len(name) - len(numbers) - 2
    drawn = [] if gauge.free is None else [bar.ports(gauge, width, ascii_only=size.ascii_only)]
    return Text(" ").join([Text(name), *drawn, Text(numbers)])


def _name(gateway: str, gauge: PortGauge) -> str:
    return f"{gateway} {gauge.address} {gauge.protocol}".strip()


def _figures(run: Watched, size: Size) -> list[Text]:
    """Return rates and refusals of each NAT."""
    lines = []
    for name, nat in run.nats.items():
        where = f"{name}: " if len(run.nats) > 1 else ""
        lines += [_flows(where, nat), _refused(where, nat)]
    return lines


def _flows(where: str, nat: Nat) -> Text:
    rate = NOT_KNOWN if nat.rate is None else f"{nat.rate:,.0f} a second"
    parts = [f"{where}new mappings {rate}"]
    if (sessions := nat.gauges.counters.get("total_sessions")) is not None:
        parts.append(f"sessions {sessions:,}")
    return Text(", ".join(parts))


def _refused(where: str, nat: Nat) -> Text:
    if nat.refusals is None:
        return Text(f"{where}refused packets {NOT_KNOWN}")
    if not nat.refusals:
        return Text(f"{where}refused packets 0")
    reasons = ", ".join(f"{short} {number:,}" for short, number in nat.refusals.items())
    return Text(f"{where}refused packets {sum(nat.refusals.values()):,}: {reasons}", style="yellow")


def _event(event: Event, size: Size) -> list[Text]:
    """Return the lines of an event, with the time before the first."""
    at, style = f"{event.at:6.1f} s  ", "bold red" if event.text.startswith("FAILED") else ""
    folded = textwrap.wrap(event.text, max(8, size.columns - len(at)), max_lines=2, placeholder="...") or [""]
    return [
        Text.assemble((at if place == 0 else " " * len(at), "dim"), (part, style))
        for place, part in enumerate(folded)
    ]
