"""What the NAT keeps for each protocol, in one object, so that one look-up finds all of it."""

from __future__ import annotations

import math

from controller.nat.connections import EXAMINATIONS
from controller.nat.counters import Counters
from controller.nat.model import PARTS, Flow, Protocol
from controller.nat.pool import Ports
from controller.nat.recency import recency_interval
from controller.nat.settings import NatSettings
from controller.nat.tables import tables_for
from controller.nat.thresholds import Thresholds
from controller.nat.timers import TimerQueue


class ProtocolState:
    """The tables, ports, counters, thresholds and idle timers of one protocol.

    TCP flows end with their connections, so their idle timeout is infinite. `idle` is the queue of flows whose
    counts are examined. For TCP there is none, unless mappings are kept in the order of their last use. `peer_of`
    returns the part of a remote endpoint by which flows differ.
    """

    __slots__ = ("counters", "idle", "idle_timeout", "peer_of", "ports", "protocol", "tables", "thresholds")

    def __init__(self, protocol: Protocol, settings: NatSettings, ports: Ports) -> None:
        self.protocol = protocol
        self.tables = tables_for(settings, protocol)
        self.peer_of = PARTS[settings.flows(protocol)]
        self.ports = ports
        self.counters = Counters()
        self.thresholds = Thresholds(protocol, settings)
        idle_timeouts = {Protocol.UDP: settings.udp_timeout, Protocol.ICMP: settings.icmp_timeout}
        self.idle_timeout = idle_timeouts.get(protocol, math.inf)
        interval = self.idle_timeout / EXAMINATIONS
        if settings.on_exhaustion.evicts and protocol is not Protocol.ICMP:
            interval = min(interval, recency_interval(settings))
        self.idle: TimerQueue[Flow] | None = TimerQueue(interval) if interval < math.inf else None

    def adopt(self, other: ProtocolState) -> None:
        """Take over the tables of another NAT. Flows are examined by the new timers."""
        if self.peer_of is other.peer_of:  # else there are no flows
            self.tables = other.tables
        self.thresholds.adopt(other.thresholds)
        if self.idle is not None and other.idle is not None:
            self.idle.adopt(other.idle)
        elif self.idle is not None:
            for flow in sorted(self.tables.flows(), key=lambda flow: flow.examined_at):
                self.idle.arm(flow, flow.examined_at)
        elif other.idle is not None:
            for flow in self.tables.flows():
                other.idle.disarm(flow)
