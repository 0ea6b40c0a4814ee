"""The links of a run under conditions: laid before the gateways start, measured, and counted until the end.

The conditions are those of each host's own link: `inside_` of every client's, `outside_` of every server's. The
kernel applies them where it can (`qdiscs`), and a process of ours where it cannot (`forwarder`). Either way `eth0`
of the host stays the gateway's side of the link. There the witnesses are, so they see what the NAT was given, and
what it gave, and a link's loss or delay is never taken for the NAT's.

Before the gateways start, probes of a known number go each way over every link that is under conditions. They are
of a kind of frame that no host or gateway knows, and they die at the other end.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from testbed.evidence.busy import Trouble
from testbed.evidence.sockets import ETH_P_ALL, close, listening
from testbed.experiment.link_conditions import conditions_of
from testbed.experiment.probes import Ends, probed
from testbed.sandbox.linux import network_of
from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.supervision import Supervisor
from testbed.traffic.drive import Worker
from topologies.base import Topology
from topologies.network import qdiscs
from topologies.network.conditions import AS_EVER, Conditions
from topologies.network.hosts import NEAR

OUT, BACK = "out", "in"
WIRE = "eth0"
ANYTHING = [(0x06, 0, 0, 1 << 18)]
"""A filter that passes every frame, whole."""
OWN_NETNS = "/proc/self/ns/net"
APART_S, FEW_TOGETHER = 0.005, 16
"""Seconds between two attempts on slow links, and the attempts under way at once on links that lose frames."""

Counts = dict[str, dict[str, int]]
"""By the way, `out` or `in` as the host sees it: frames, those that were lost, those that found no room."""


class Way(Protocol):
    """One way of putting links under conditions."""

    @property
    def name(self) -> str:
        """Its name: that of a discipline, or `forwarder`."""

    @property
    def near(self) -> str:
        """The interface of a host that its kernel uses."""

    @property
    def late_s(self) -> float | None:
        """The most seconds by which a frame left too late so far, if that is known."""

    def counts(self) -> Counts:
        """Return what was counted since the last call."""


class ByKernel:
    """The links of a side, by disciplines of the kernel."""

    near, late_s = WIRE, None

    def __init__(self, hosts: Sequence[Any], conditions: Conditions) -> None:
        self.name = qdiscs.kind(conditions)
        self._hosts = hosts
        self._before: Counter[tuple[str, str]] = Counter()
        for host in hosts:
            with network_of(host.netns):
                qdiscs.apply(conditions)

    def counts(self) -> Counts:
        """Return what was counted since the last call. What finds no room is among what was lost."""
        now: Counter[tuple[str, str]] = Counter()
        for host in self._hosts:
            with network_of(host.netns):
                for way, (frames, lost) in zip((OUT, BACK), qdiscs.counted(), strict=True):
                    now.update({(way, "frames"): frames, (way, "lost"): lost})
        since, self._before = {key: now[key] - self._before[key] for key in now}, now
        return {way: {what: since[way, what] for what in ("frames", "lost")} for way in (OUT, BACK)}


class ByForwarder:
    """The links of a side, by a process that carries the frames."""

    name, near = "forwarder", NEAR

    def __init__(
        self,
        hosts: Sequence[Any],
        conditions: Conditions,
        *,
        supervisor: Supervisor,
        side: str,
        seed: int,
    ) -> None:
        wires = [listening(host.netns, WIRE, ANYTHING, ETH_P_ALL, arriving=True) for host in hosts]
        nears = [host.behind_wire() for host in hosts]
        rows = [(host.name, wire.fileno(), near) for host, wire, near in zip(hosts, wires, nears, strict=True)]
        arguments = (str(seed), json.dumps(dataclasses.asdict(conditions)), json.dumps(rows))
        ends = [descriptor for _, *both in rows for descriptor in both]
        self._worker = Worker(supervisor, f"{side}-links", "forwarder", FOLDER, *arguments, descriptors=ends)
        self._worker.read()
        close(wires)
        for near in nears:
            os.close(near)
        self.late_s = 0.0

    def counts(self) -> Counts:
        """Return what was counted since the last call."""
        self._worker.order(do="tell")
        (told,) = self._worker.read()
        self.late_s = max(self.late_s, told.pop("late_s"))
        return dict(told)


class Side:
    """All links of one side: their conditions, what applies these, and what probes and the run itself measured."""

    def __init__(self, side: str, conditions: Conditions, way: Way, links: Sequence[Ends], *, why: str) -> None:
        self.side, self.conditions = side, conditions
        self._way, self._why = way, why
        self._probes = probed(links, conditions)
        self._way.counts()
        self._counts: Counts = {}

    def count(self) -> Counts:
        """Return what passed, and what was lost, since the probes."""
        for way, counted in self._way.counts().items():
            before = self._counts.setdefault(way, dict.fromkeys(counted, 0))
            self._counts[way] = {what: before[what] + counted[what] for what in counted}
        return self._counts

    @property
    def lost(self) -> int:
        """The number of frames that the links have lost since the probes, at random or for want of room."""
        return sum(way[what] for way in self.count().values() for what in way if what != "frames")

    def figures(self) -> dict[str, Any]:
        """Return what was set, by which way, and what was measured, for the results."""
        figures: dict[str, Any] = {
            "set": dataclasses.asdict(self.conditions),
            "by": self._way.name,
            "probes": self._probes,
            "run": self.count(),
        }
        if self._way.late_s is not None:
            figures["late_s"] = self._way.late_s
        return {**figures, "kernel_lacks": self._why} if self._why else figures

    def words(self) -> str:
        """Return the same as one line."""
        both = [self._probes[way] for way in (OUT, BACK)]
        delays = " and ".join(f"{each.get('delay_s', math.nan) * 1e3:.3g} ms" for each in both)
        lost = " and ".join(f"{each['lost']:,} of {each['sent']:,}" for each in both)
        return f"by {self._way.name}; probes out and in took {delays}, and {lost} were lost"


class Links:
    """The links of a run that are under conditions, by their side. In most runs there are none."""

    def __init__(self, sides: Sequence[Side] = ()) -> None:
        self.sides = sides

    @property
    def round_trip(self) -> float:
        """The most seconds that an answer is under way on the links of both sides, if none is lost."""
        return sum(2 * each.conditions.longest for each in self.sides)

    @property
    def inside(self) -> float:
        """The most seconds that a frame is under way on a client's link."""
        return sum(each.conditions.longest for each in self.sides if each.side == "inside")

    @property
    def together(self) -> int:
        """The attempts to have under way at once where no order matters: none needs to wait for a slow link."""
        loses = any(each.conditions.loss for each in self.sides)
        return max(FEW_TOGETHER if loses else 0, math.ceil(self.round_trip / APART_S))

    @property
    def keeps_order(self) -> bool:
        """Whether servers see packets in the order in which the NAT decided about them."""
        return not any(each.conditions.jitter or each.conditions.reordering or each.lost for each in self.sides)

    @property
    def lost(self) -> int:
        """The number of frames that all links have lost so far."""
        return sum(each.lost for each in self.sides)

    def trouble(self) -> Trouble:
        """Return what the links may have caused so far."""
        frames = sum(way["frames"] for each in self.sides for way in each.count().values())
        return Trouble(self.round_trip, frames=frames, lost=self.lost)

    def figures(self) -> dict[str, Any]:
        """Return the figures of all sides, for the results."""
        return {each.side: each.figures() for each in self.sides}


def lay(
    supervisor: Supervisor, net: Any, topology: Topology, parameters: Mapping[str, Any], *, seed: int
) -> Links:
    """Put the links of a network that is built, and not yet started, under the conditions of a run."""
    sides = []
    for side, names in (("inside", topology.clients), ("outside", topology.servers)):
        conditions = conditions_of(parameters, side)
        if conditions == AS_EVER:
            continue
        hosts = [net[name] for name in names]
        why = qdiscs.lacking(conditions)
        way: Way = (
            ByForwarder(hosts, conditions, supervisor=supervisor, side=side, seed=seed)
            if why
            else ByKernel(hosts, conditions)
        )
        sides.append(Side(side, conditions, way, [_ends(host, way.near) for host in hosts], why=why))
    return Links(sides)


def _ends(host: Any, near: str) -> Ends:
    cable = host.defaultIntf().link
    other = cable.intf2 if cable.intf1.node is host else cable.intf1
    return Ends((host.netns, near), (getattr(other.node, "netns", OWN_NETNS), other.name))
