"""What every run checks of single packets: none lost, doubled, delayed, reordered, damaged, rewritten or made up.

There are two bodies of evidence. A *sample* is of the scenario's own packets: all of them, or a share. It shows
what was doubled, damaged and rewritten, whether most SYNs were delayed, and what hosts had to send again on
connections that were there. A NAT may rightly refuse or hold packets of a scenario. So a *train* over a flow that
still lives follows in the end. It shows what was lost, reordered and delayed, and packets of every size.
"""

from __future__ import annotations

import contextlib
import random
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from testbed.evidence.judging import HELD_S
from testbed.evidence.losses import lost_in_switch
from testbed.evidence.matching import Matched, match, unsent
from testbed.evidence.oddities import FRAGMENTED
from testbed.evidence.train import FRAMES, PATIENCE_S, Track
from testbed.experiment.judgement import BEARS_S, Finding
from testbed.experiment.lab import Lab
from testbed.sandbox.slowness import patient
from topologies.hops import hops

TRAINS = 3
"""The most trains. If the machine stands still for a moment, one fails and not the next. A NAT's faults stay."""
LATER = 5
"""What a frame may be late by, in terms of how late this process is woken: a frame may pass three processes, and
only this one's lateness is known."""
MATCHED = "packets matched one to one by their content, at the hosts' ends"
TRAIN = f"{FRAMES} frames of all sizes each way, few under way at once; the best of up to {TRAINS} such trains"
FEWEST = 8
"""The number of packets that shows whether all are delayed, by the quickest, or most."""
UNEXPLAINED_SHARE = 0.25
"""The least share of SYNs that were delayed while no queue explains it: they did not wait in their turn."""
FEW_AGAIN, SHARE_AGAIN = 2, 0.02
"""Copies that may be lost of data that came at last, and their share of such data: some may be under way."""


@dataclass(slots=True)
class Findings:
    """What was found in both bodies of evidence, and the series for the results."""

    sample: Matched | None = None
    unsent: int | None = None
    """The number of SYNs in the sample that no host sent, if that was looked at."""
    trains: list[Matched] = field(default_factory=list)
    series: dict[str, Any] = field(default_factory=dict)
    too_busy: str = ""
    """Why a machine that was too busy leaves it open what was lost, reordered and delayed."""
    refuses: bool = True
    """Whether the NAT refuses at once what it has no port for. Others hold SYNs, or end connections that live."""
    lost_in_switch: int = 0
    """The packets that the queues of the machine's switch had no room for. They are counted if data were lost."""

    def worst(self, figure: str) -> int:
        """Return a figure that no busy machine can cause: the sample's, and the highest of a train."""
        own = getattr(self.sample, figure) if self.sample else 0
        return int(own + max((getattr(each, figure) for each in self.trains), default=0))

    def best(self, figure: str) -> int:
        """Return a figure that a busy machine may cause as well: the lowest of a train."""
        return min(int(getattr(each, figure)) for each in self.trains)

    @property
    def delayed(self) -> int:
        """The number of packets that were delayed: of a train, and of a sample as a whole."""
        return self._delayed_of_trains + self._delayed_all or self.delayed_mostly

    @property
    def delayed_surely(self) -> int:
        """The number of packets that were delayed, and not by a busy machine.

        The controller of a slow one may be late with all that begins at a time. So there only trains are sure.
        """
        return self._delayed_of_trains + (self._delayed_all if held_s() == HELD_S else 0)

    @property
    def _delayed_of_trains(self) -> int:
        return min((each.delayed(held_s()) for each in self.trains), default=0)

    @property
    def _delayed_all(self) -> int:
        """The packets of the sample, if its quickest was delayed.

        SYNs count by themselves as well: they begin connections, on which all else may be quick. So do SYN/ACKs.
        """
        return max((len(each) for each in self._waits() if min(each) >= held_s()), default=0)

    @property
    def delayed_mostly(self) -> int:
        """The number of SYNs of the sample that were delayed, or of SYN/ACKs, if most of these were.

        A queue, as of a controller, may be long, but it delays all alike. So many must have been passed by later
        ones, or been alone.
        """
        if self.sample is None or not self.refuses:
            return 0
        ways = zip((self.sample.openings, self.sample.acceptances), self.sample.apart, strict=True)
        return max((_delayed_mostly(waits, apart) for waits, apart in ways), default=0)

    @property
    def lost_again(self) -> int:
        """The number of copies that were lost of data that came at last, if they are more than a few."""
        if self.sample is None or not self.refuses:
            return 0
        borne = max(FEW_AGAIN, int(self.sample.segments * SHARE_AGAIN)) + self.lost_in_switch
        return self.sample.again if self.sample.again > borne else 0

    def _waits(self) -> list[list[float]]:
        """Return the waits of the sample's packets, of its SYNs, and of its SYN/ACKs; of a few, none."""
        kinds = [self.sample.waits, self.sample.openings, self.sample.acceptances] if self.sample else []
        return [each for each in kinds if len(each) >= FEWEST]

    @property
    def rewritten(self) -> str:
        """The fields that were rewritten, each with the number of packets, or `nothing`."""
        fields = sum((each.rewritten for each in (*self.trains, *filter(None, [self.sample]))), Counter[str]())
        return ", ".join(f"{name} ({count:,})" for name, count in sorted(fields.items())) or "nothing"


def held_s() -> float:
    """Return the seconds after which a packet was held, on this machine. A usual one passes it on in milliseconds.

    If the machine is late by half of it, that leaves it open why most SYNs were delayed: others wait before each.
    """
    return patient(HELD_S)


def examine(lab: Lab, *, refuses: bool = True) -> Findings:
    """Close the sample, run trains, and match. `refuses` is as in the findings."""
    found = Findings(refuses=refuses)
    if lab.sample is not None:
        found.series["sample"] = _sampled(lab, found)
    if found.lost_again:
        found.lost_in_switch = lost_in_switch()
    found.series["trains"] = (
        _trains(lab, found) or "not looked at: no flow through the NAT was left, or could begin"
    )
    return found


def checks(found: Findings) -> Iterator[Finding]:
    """Yield the checks for which there is evidence. `series.frames` tells what nobody looked at."""

    def claimed(
        what: str, claim: str, observed: Any, source: str, *, expected: Any = 0, bears: float | None = None
    ) -> Finding:
        return Finding(f"frames-{what}", claim, expected, observed, source, bears)

    if found.trains or (found.sample and found.sample.arrived):
        yield claimed(
            "doubled",
            "no packet arrived more often than it was sent",
            found.worst("doubled"),
            f"RFC 5560: duplication; {MATCHED}",
        )
        yield claimed(
            "damaged",
            "every packet arrived with the content that was sent, and with a right checksum",
            found.worst("damaged"),
            f"RFC 3022 section 4.1: a NAT changes addresses, ports and checksums; {MATCHED}",
        )
        yield claimed(
            "rewritten",
            "the NAT rewrote nothing but addresses, ports, checksums, and the TTL by one a hop",
            found.rewritten,
            f"RFC 3022 section 4.1; TTL: RFC 1812 section 5.3.1; identification: RFC 6864; {MATCHED}",
            expected="nothing",
        )
    if found.unsent is not None:
        yield claimed(
            "unsent",
            "every SYN that arrived at a server was sent to it by a host",
            found.unsent,
            f"RFC 3022 section 2.2: sessions are begun by hosts; {MATCHED}",
        )
    if found.trains and not found.too_busy:
        yield claimed(
            "lost",
            "no packet was lost on a mapping that exists",
            found.best("lost") + found.lost_again,
            f"RFC 7680: loss; {TRAIN}; and data that hosts had to send again",
            bears=None if found.best("lost") else BEARS_S,
        )
        yield claimed(
            "reordered",
            "no packet overtook another of its flow",
            found.best("reordered"),
            f"RFC 4737: reordering; {TRAIN}",
        )
        yield claimed(
            "delayed",
            f"no packet took {held_s():g} s or more on a mapping that exists, nor did most SYNs",
            found.delayed,
            f"RFC 7679: delay, by the kernels' times; {TRAIN}",
            bears=None if found.delayed_surely else held_s() / 2,
        )


def _sampled(lab: Lab, found: Findings) -> Any:
    """Match the sample, and return its figures, or why there are none."""
    assert lab.sample is not None
    hosts = [*lab.clients, *lab.servers]
    addresses = {address.packed for server in lab.servers for address in lab.topology.addresses[server.name]}
    servers = range(len(lab.clients), len(hosts))
    sent, arrived = lab.sample.close(addresses, servers)
    if lab.sample.dropped:
        return f"not looked at: the kernel had no room for {lab.sample.dropped:,} packets of the sample"
    known: dict[tuple[int, int], int] = {}

    def between(one: int, other: int) -> int:
        if (one, other) not in known:
            known[one, other] = hops(lab.topology, hosts[one].name, hosts[other].name)
        return known[one, other]

    found.sample = matched = match(sent, arrived, between)
    if not lab.is_raw and FRAGMENTED not in lab.judge.unlooked():  # raw SYNs and those in fragments are not seen
        found.unsent = unsent(sent, arrived, servers)
    figures = {
        **_figures(matched),
        "sent_again": matched.again,
        "syns_median_s": round(statistics.median(matched.openings or [0.0]), 6),
        "one_of": lab.sample.share,
        "unsent": found.unsent,
    }
    return {name: figure for name, figure in figures.items() if name not in ("lost", "reordered")}


def _trains(lab: Lab, found: Findings) -> list[dict[str, Any]]:
    """Run a train over the first flow that lives, or up to TRAINS if something is amiss. Return their figures."""
    told: list[dict[str, Any]] = []
    chance = random.Random(lab.seed)
    for flow, one, other in lab.flows():
        with contextlib.closing(Track(flow)) as track:
            models = track.models()
            if models is None:
                continue
            distance = partial(_distance, hops(lab.topology, one, other))
            excused = True
            while len(told) < TRAINS:
                passage = track.run(models, largest=lab.topology.outside_mtu, chance=chance)
                if passage.dropped:
                    told.append({"dropped": passage.dropped})
                    continue
                matched = match(passage.sent, passage.arrived, distance)
                found.trains.append(matched)
                told.append({**_figures(matched), "lateness_s": round(passage.lateness, 4)})
                if not (matched.lost or matched.reordered or matched.delayed(held_s())):
                    return told
                excused = excused and _is_excused(matched, passage.lateness)
            if excused:
                found.too_busy = (
                    f"of {TRAINS} trains of frames none arrived whole, in order and at once: {told}; but this "
                    "process was itself woken late each time (lateness_s): this machine was too busy to tell "
                    "whether the NAT is to blame; run it again with less other load"
                )
            return told
    return told


def _is_excused(matched: Matched, lateness: float) -> bool:
    """Return whether a busy machine may have caused all that is amiss, by how late this process was woken.

    If the quickest packet is delayed, all are, and no machine is as regular.
    """
    late = LATER * lateness
    return (
        (not matched.lost or late >= PATIENCE_S)
        and (not matched.reordered or late >= HELD_S)
        and (not matched.delayed(held_s()) or (late >= HELD_S and min(matched.waits) < held_s()))
    )


def _delayed_mostly(waits: list[float], apart: list[float]) -> int:
    """Return the number of packets that were delayed, if most were, and no queue explains a share of them."""
    delayed, unexplained = (sum(wait >= held_s() for wait in each) for each in (waits, apart))
    if len(waits) < FEWEST or delayed <= len(waits) / 2 or unexplained < len(waits) * UNEXPLAINED_SHARE:
        return 0
    return delayed


def _distance(between: int, _one: int, _other: int) -> int:
    return between


def _figures(matched: Matched) -> dict[str, Any]:
    """Return the figures of one body of evidence, for the results."""
    waits = matched.waits or [0.0]
    return {
        "sent": matched.sent,
        "arrived": matched.arrived,
        "lost": matched.lost,
        "doubled": matched.doubled,
        "reordered": matched.reordered,
        "damaged": matched.damaged,
        "rewritten": dict(matched.rewritten),
        "renumbered": matched.renumbered,
        "delayed": matched.delayed(held_s()),
        "median_s": round(statistics.median(waits), 6),
        "slowest_s": round(max(waits), 6),
    }
