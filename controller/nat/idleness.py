"""What ends by time: closed connections, idle flows, the rest of ports, the patience of packets that wait.

The NAT cannot know whether a flow is idle, since flow rules forward its packets. The caller reads the rules'
counts and reports them with `examined`, and only that ends an idle flow. Counts are examined EXAMINATIONS times
within an idle timeout. So a flow lives for its timeout after its last use, never less, and at most a quarter more
(two, where the counts come late).
"""

from __future__ import annotations

from collections.abc import Iterable

from controller.nat.events import PortMoved, ReleaseReason
from controller.nat.inventory import Inventory
from controller.nat.model import Flow, Protocol
from controller.nat.protocols import ProtocolState
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpState


class Idleness:
    """Ends what is over in an inventory."""

    def __init__(self, settings: NatSettings, inventory: Inventory) -> None:
        self._inventory = inventory
        self._scarcity = inventory.scarcity
        self._connections = inventory.connections
        self._idle = [(state, state.idle) for state in inventory.states.values() if state.idle is not None]
        self._refresh_inbound = settings.refresh_inbound
        self.reports_phases = False
        """Whether each port that is held down or free again is an event."""

    def due(self, now: float) -> list[Flow]:
        """End what is over by `now`, and return the flows whose packet counts are to be examined."""
        for protocol, freed in self._inventory.pool.reclaim(now):
            if not freed.is_held_down:
                self._scarcity.port_freed(protocol, freed)
            if self.reports_phases:
                self._inventory.events.append(PortMoved(protocol, freed.external, freed.is_held_down))
        self._inventory.limits.forget_rates(now)
        closed, examine = self._connections.due(now)
        for connection in closed:
            self._inventory.end_flow(connection.flow, ReleaseReason.CLOSED, now)
        for state, idle in self._idle:
            for flow in list(idle.due(now)):
                idle.arm(flow, now)
                if state.protocol is Protocol.ICMP:
                    self._end_if_idle(state, flow, now)  # each query passes the NAT itself: its last use is known
                else:
                    examine.append(flow)
        self._scarcity.due(now)
        return [flow for flow in examine if flow.is_live]

    def examined(self, counts: Iterable[tuple[Flow, int, int]], now: float) -> None:
        """Take note of flows' counts, outbound and inbound. A flow that was idle ends, and an unanswered opening.

        RFC 4787 REQ-6: inbound packets alone do not keep a UDP flow, unless `refresh_inbound`. For TCP both
        directions count.
        """
        for flow, outbound_packets, inbound_packets in counts:
            if flow.is_live:  # or it ended before the counts came
                self._examine(flow, outbound_packets, inbound_packets, now)
        self._scarcity.wake(now)

    def _examine(self, flow: Flow, outbound_packets: int, inbound_packets: int, now: float) -> None:
        state = self._inventory.states[flow.mapping.protocol]
        sent, received = outbound_packets != flow.outbound_packets, inbound_packets != flow.inbound_packets
        examined_at, connection = flow.examined_at, flow.connection
        flow.outbound_packets, flow.inbound_packets, flow.examined_at = outbound_packets, inbound_packets, now
        if state.idle is not None:
            state.idle.arm(flow, now)  # so that a bucket's flows come due together
        awaited = connection is not None and connection.awaits_inside
        if connection is None:
            is_use = sent or (received and not flow.is_strangers)
            refreshes = sent or (is_use and self._refresh_inbound)
        else:
            is_use = refreshes = (sent or received) and not awaited
        if is_use:
            self._scarcity.used(flow.mapping, examined_at)
        if refreshes:
            if flow.is_strangers:
                self._inventory.answered(flow)
            flow.last_use = flow.mapping.last_use = now
        if connection is None:
            self._end_if_idle(state, flow, now)
        elif self._connections.examined(connection, now):
            unanswered = connection.state is TcpState.INIT
            self._inventory.end_flow(flow, ReleaseReason.IDLE if unanswered else ReleaseReason.CLOSED, now)
        elif awaited and not connection.awaits_inside:
            self._inventory.refresh(flow, now)

    def counts_restarted(self, now: float) -> None:
        """Take all flows for used now: their rules were made anew and count from zero."""
        for flow in self._inventory.flows():
            flow.outbound_packets = flow.inbound_packets = 0
            flow.last_use = flow.mapping.last_use = flow.examined_at = now
            if flow.connection is not None:
                self._connections.counts_restarted(flow.connection, now)

    @property
    def next_deadline(self) -> float | None:
        """When `due` has something to do next, or None."""
        deadlines = [
            self._inventory.pool.next_deadline,
            self._inventory.limits.next_deadline,
            self._scarcity.next_deadline,
            *(idle.next_deadline for _, idle in self._idle),
            *self._connections.next_deadlines,
        ]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _end_if_idle(self, state: ProtocolState, flow: Flow, now: float) -> None:
        if now - flow.last_use >= state.idle_timeout:
            self._inventory.end_flow(flow, ReleaseReason.IDLE, now)
