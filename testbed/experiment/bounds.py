"""Upper bounds of a gateway's counters, each with its reason: what the hosts sent, or what the pool has.

Every run checks all counters of which there is a bound. A check of one counter that expects "at least" gets the
bound as well. What no check of a run has read is named in the results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.settings import Settings
from testbed.evidence.tallies import Tally
from testbed.experiment.counters import DROPPED, Counters
from testbed.experiment.expectations import Expectation
from testbed.experiment.judgement import Finding, Unseen

KEY = "counters"


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that counters can be, together, and why."""

    reason: str
    most: Callable[[Tally, Settings], int]


LOST = Bound("packets that left a host and did not arrive at any", lambda tally, _: tally.lost())
SENT = Bound("packets that left a host", lambda tally, _: tally.sent())
POOL = Bound("ports of the pool", lambda tally, settings: _ports(tally, settings))
BOUNDS: Mapping[tuple[str, ...], Bound] = MappingProxyType(
    {
        DROPPED: SENT,
        ("held_packets",): SENT,
        ("evicted_mappings",): SENT,
        ("port_mapping_creations",): SENT,
        ("ports_allocated", "ports_free", "ports_resting", "ports_in_hold_down"): POOL,
    }
)
"""The bound of each group of counters together, and of any part of it. Packets are those that may begin a
connection."""


def _ports(tally: Tally, settings: Settings) -> int:
    """Return the most ports that a gateway may count: where they overlap, a pool for each destination in use."""
    ports = settings.port_count * len(settings.external_addresses)
    return ports if settings.port_overlapping == "off" else ports * max(1, tally.sent())


def bounded(
    expected: Expectation, names: Collection[str], tally: Tally, settings: Settings
) -> tuple[Expectation, str]:
    """Return the expectation of these counters with the bounds that it lacks, and the words for its source.

    What was dropped did not arrive, so that is the bound here, unless copies of other packets did. What the hosts'
    kernels know of their own attempts is evidence too: the bound is never below that.
    """
    if expected.least is None:
        return Expectation(0, expected.most), ""
    if expected.most is not None or not tally.is_whole:
        return expected, ""
    for group, bound in BOUNDS.items():
        if set(names) <= set(group):
            sharper = LOST if group is DROPPED else bound
            most = max(expected.least, sharper.most(tally, settings))
            return Expectation(expected.least, most), f"; at most the {sharper.reason}, by the hosts' kernels"
    return expected, ""


def judged(counters: Counters, tally: Tally, settings: Settings) -> Finding | Unseen:
    """Return the counters that are beyond their bounds."""
    if not tally.is_whole:
        return Unseen(KEY, "frames were sent past the hosts' kernels, which count what may begin a connection")
    beyond, looked = [], 0
    for group, bound in BOUNDS.items():
        known = {name: value for name in group if (value := counters.get(name)) is not None}
        looked += len(known)
        if sum(known.values()) > (most := bound.most(tally, settings)):
            largest = max(known, key=lambda name: known[name])
            beyond.append(f"{largest}={known[largest]:,}, of at most {most:,} {bound.reason}")
        beyond += [f"{name}={value:,}" for name, value in known.items() if value < 0]
    if not looked:
        return Unseen(KEY, "the gateway knows no counter that has a bound")
    return Finding(
        KEY,
        "the gateway's own counters that are beyond what the hosts sent and the pool has",
        expected=[],
        observed=beyond,
        source=f"{SENT.reason}, by the hosts' kernels; {POOL.reason}",
    )


def unread(counters: Counters, read: Collection[str]) -> list[str]:
    """Return the counters that the gateway knows, and that no check has read by name."""
    return sorted(name for name, value in counters.items() if value is not None and name not in read)
