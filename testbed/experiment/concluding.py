"""What is checked after every scenario, in any run, whatever it asked. `judged` has the keys of these checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from controller.settings import Settings
from testbed.evidence.findings import CLAIMS
from testbed.evidence.judge import WitnessError
from testbed.experiment import bounds, frames, port_orders, transfers
from testbed.experiment.counters import Counters
from testbed.experiment.judgement import Finding, Unseen
from testbed.experiment.lab import Lab
from testbed.experiment.report import Report
from testbed.traffic.records import Attempt

REFUSING = ("drop", "icmp", "reset")
"""The policies by which a packet goes on at once, or never."""


@dataclass(frozen=True, slots=True)
class Done:
    """A scenario that is over: its lab, all its attempts, and the counters that it kept.

    `read` are the names of the counters that it checked.
    """

    lab: Lab
    settings: Settings
    attempts: Collection[Attempt]
    counters: Counters
    read: Collection[str]


def conclude(done: Done, report: Report, *, mtu: int, recount: Callable[[], None]) -> Iterator[Finding | Unseen]:
    """Yield all findings, and keep what they rest on with the results. Packets are of up to `mtu` bytes.

    `recount` is called if the NAT was found to delay packets. Raises WitnessError if the witnesses missed packets,
    or the machine was too busy to tell.
    """
    lab, judge = done.lab, done.lab.judge
    shared = len(judge.shared()) if judge.sees_sharing else None
    if lab.links.keeps_order:
        yield port_orders.judged(lab.sightings(), done.attempts, lab.behaviour, done.settings)
    else:
        yield Unseen(port_orders.KEY, "links change the order in which servers see packets, as they were set")
    yield bounds.judged(done.counters, lab.tally, done.settings)
    refuses = done.settings.on_exhaustion in REFUSING
    carried = transfers.carried(lab, mtu, keeps=refuses)
    report.series(transfers=[each.row() for each in carried])
    yield transfers.judged(carried)
    yield from transfers.unseen(lab, carried)
    report.series(counters_not_checked=bounds.unread(done.counters, done.read))
    yield leaks(lab)
    for key, count in judge.findings().items():
        claim, source = CLAIMS[key]
        yield Finding(key, claim, expected=0, observed=count, source=source, bears=None)
    for key, why in judge.unlooked().items():
        yield Unseen(key, why)
    transfers.require_passing(carried)
    if shared is None:
        return
    yield sharing(shared, "seen by the servers and on the wire")
    judge.require_complete()
    if relays := next((each.relays for each in lab.behaviours.values() if each.relays.value), None):
        yield Unseen("single-packets", f"the gateway ends connections and begins others in their place: {relays}")
        return
    found = frames.examine(lab, refuses=refuses)
    report.series(frames=found.series)
    yield from frames.checks(found)
    if found.too_busy:
        raise WitnessError(found.too_busy)
    if found.delayed:
        recount()


def sharing(count: int, seen: str) -> Finding:
    """Return the finding about external endpoints that were shared, `seen` by these witnesses."""
    return Finding(
        "sharing",
        "no two clients ever shared an external endpoint toward one destination",
        expected=0,
        observed=count,
        source=f"RFC 4787 REQ-3, RFC 5382 REQ-7; {seen}",
        bears=None,
    )


def leaks(lab: Lab) -> Finding:
    """Return the finding about packets that left untranslated."""
    exempt = ", ".join(map(str, lab.untranslated))
    return Finding(
        "leaks",
        f"no packet left untranslated, but to {exempt}" if exempt else "no packet left untranslated",
        expected=0,
        observed=lab.judge.leaks()[0],
        source="RFC 6888 REQ-11A; counted by the kernels of the outside hosts, and on the uplinks of NATs"
        + ("; RFC 6888 REQ-6, the setting untranslated_destinations" if exempt else ""),
        bears=None,
    )
