"""The TCP connections, the state of each, and when each is over (RFC 7857 section 2, RFC 5382 REQ-5).

The transitions are in `tcp.py`. Each connection has a flow of its own. Rules forward the packets, so that only
some segments are seen here: SYNs of either side, the SYN/ACK of the inside, FINs and RSTs. The rest is known by
the packet counts of the connection's flow.

A connection that the outside opened waits for the inside. Until the inside answers, nothing that the outside sends
gives it more time, and neither does the RST of an inside host that does not want it (RFC 7857 sections 7 and 7.1).
By that RST a stranger's connection is over: the time after a RST is for connections that existed. It ends with the
next call of `due`, when the RST has passed.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.nat.model import INSIDE, OUTSIDE, SYN, Connection, EndedBy, Flow, Side, TcpFlags
from controller.nat.tcp import TIMERS, TcpEvent, TcpState, TcpTimer, next_state
from controller.nat.timers import TimerQueue

EXAMINATIONS = 4
"""How often a flow's packet counts are examined within an idle timeout."""
UNKNOWN = -1
"""A count that is still to be read: the next one that is examined."""

_OPENED, _RESET = TcpState.INIT, TcpState.TRANS
_ENDED = {TcpState.BOTH_FIN_RCV, TcpState.TRANS}
_ESTABLISHED_PHASE = {state for state, timer in TIMERS.items() if timer is TcpTimer.ESTABLISHED}
_EXAMINED = {TcpTimer.ESTABLISHED, TcpTimer.RESET}
"""The timers that are over only by the packet counts, which are examined several times before."""


class Connections:
    """Follows the connections of all TCP flows."""

    def __init__(self, timeouts: dict[TcpTimer, float]) -> None:
        self._timeouts = timeouts
        self._timers: dict[TcpTimer, TimerQueue[Connection]] = {
            timer: TimerQueue(timeout / EXAMINATIONS if timer in _EXAMINED else timeout)
            for timer, timeout in timeouts.items()
        }
        self._timer_in = {state: self._timers[timer] for state, timer in TIMERS.items()}
        self._unwanted: TimerQueue[Connection] = TimerQueue(0.0)
        self.turned: Callable[[Flow, bool], None] | None = None
        """Is told when a connection has ended for both sides, or goes on after all, if somebody asks for it."""

    def adopt(self, other: Connections) -> None:
        """Take over the connections of another NAT, each in its state."""
        self._unwanted.adopt(other._unwanted)
        for timer, queue in self._timers.items():
            queue.adopt(other._timers[timer])

    def track(self, connection: Connection, sender: Side, flags: TcpFlags, now: float) -> bool:
        """Take note of a segment that `sender` sent on a connection, and return whether it opens it again."""
        if flags == SYN:
            if sender is OUTSIDE and _is_with_itself(connection.flow):
                return False  # its own SYN, which has come back, is no answer
            if connection.state in _ENDED:
                connection.client = sender  # either side may open it again
                connection.awaits_inside = sender is OUTSIDE
        event = EVENTS[sender is connection.client][flags]
        if connection.awaits_inside and event is not TcpEvent.RST:
            if sender is OUTSIDE:
                return False
            if event is TcpEvent.SERVER_SYN or connection.state is _OPENED:
                connection.awaits_inside = False
                self._enter(connection, _OPENED)
        before = connection.state
        if event is not None:
            self._advance(connection, event, now)
        if event is TcpEvent.RST and sender is INSIDE and connection.flow.is_strangers:
            self._unwanted.arm(connection, now)
        return before in _ENDED and connection.state is _OPENED

    def open(self, flow: Flow, client: Side, now: float) -> None:
        """Take note of the first SYN of a connection, which `client` sent."""
        connection = Connection(flow, client, now, 0, _OPENED, client is OUTSIDE)
        flow.connection = connection
        self._timer_in[_OPENED].arm(connection, now)

    def due(self, now: float) -> tuple[list[Connection], list[Flow]]:
        """Return the connections that have closed by `now`, and the flows whose counts decide about others."""
        closed = [*self._timers[TcpTimer.CLOSING].due(now), *self._unwanted.due(now)]
        examine: dict[Flow, None] = {}
        for timer in (TcpTimer.OPENING, TcpTimer.ESTABLISHED, TcpTimer.RESET):
            for connection in list(self._timers[timer].due(now)):
                self._timers[timer].arm(connection, now)
                examine[connection.flow] = None
        return closed, list(examine)

    def examined(self, connection: Connection, now: float) -> bool:
        """Advance a connection by the new counts of its flow, and return whether it is over."""
        flow, waited = connection.flow, now - connection.since
        if connection.state is _OPENED:
            answers = flow.packets_from(connection.client.other)
            if connection.packets_before == UNKNOWN:
                connection.packets_before = answers
                return False
            if answers > connection.packets_before and not _is_with_itself(flow):
                connection.awaits_inside = False
                self._advance(connection, TcpEvent.SERVER_SYN, now)
                return False
            return waited >= self._timeouts[TcpTimer.OPENING]
        if connection.state is _RESET:
            return not self._goes_on(connection, now) and waited >= self._timeouts[TcpTimer.RESET]
        is_idle = now - flow.last_use >= self._timeouts[TcpTimer.ESTABLISHED]
        if connection.state in _ESTABLISHED_PHASE and is_idle:
            self._advance(connection, TcpEvent.IDLE, now)
        return False

    @staticmethod
    def ended_by(connection: Connection) -> EndedBy:
        """Return the way in which a connection has ended, by the state in which its time was over."""
        if connection.state is _RESET:
            return EndedBy.RST if connection.was_reset else EndedBy.IDLE
        return EndedBy.FIN if connection.state in _ENDED else EndedBy.IDLE

    def counts_restarted(self, connection: Connection, now: float) -> None:
        """Take a connection for established: its rules count from zero, and earlier counts are lost."""
        connection.packets_before = 0
        if not connection.awaits_inside:
            self._advance(connection, TcpEvent.SERVER_SYN, now)

    def forget(self, connection: Connection) -> None:
        """Remove a connection from its flow, with its timer."""
        self._timer_in[connection.state].disarm(connection)
        connection.flow.connection = None  # they refer to each other, which garbage would be collected for

    @property
    def next_deadlines(self) -> list[float | None]:
        """When each timer runs out next."""
        return [queue.next_deadline for queue in (*self._timers.values(), self._unwanted)]

    def _advance(self, connection: Connection, event: TcpEvent, now: float) -> None:
        """Enter the next state and start its timer. An event that changes nothing starts the timer again.

        The timer after a RST is an exception: another RST is no data, and must not keep what the first one ended.
        So is what waits for the inside, which has the time since its first SYN.
        """
        before = connection.state
        state = next_state(before, event)
        if state is before is _RESET:
            connection.packets_before = UNKNOWN
            connection.was_reset |= event is TcpEvent.RST
            return
        if state is not before:
            self._enter(connection, state)
            if state is _OPENED or state is _RESET:
                connection.packets_before = UNKNOWN
                connection.was_reset = event is TcpEvent.RST
        if (state is not before or state is _OPENED) and not connection.awaits_inside:
            connection.since = now
        self._timer_in[state].arm(connection, now)

    def _enter(self, connection: Connection, state: TcpState) -> None:
        before, connection.state = connection.state, state
        if self.turned is not None and (state in _ENDED) is not (before in _ENDED):
            self.turned(connection.flow, state in _ENDED)

    def _goes_on(self, connection: Connection, now: float) -> bool:
        """Whether data has passed since a RST, or since it seemed idle. The first look only takes the count.

        Data of the inside alone counts where the outside waits for it.
        """
        flow = connection.flow
        packets = flow.outbound_packets + (0 if connection.awaits_inside else flow.inbound_packets)
        if connection.packets_before == UNKNOWN:
            connection.packets_before = packets
        elif packets > connection.packets_before:
            connection.awaits_inside = False
            self._advance(connection, TcpEvent.DATA, now)
            return True
        return False


def _is_with_itself(flow: Flow) -> bool:
    """Whether an inside endpoint has sent to its own external one: each of its segments comes back to it."""
    return flow.peer == flow.mapping.external


def _event(flags: int, *, is_client: bool) -> TcpEvent | None:
    """Name what a segment means for its connection, or None where it means nothing."""
    if flags & TcpFlags.RST:
        return TcpEvent.RST
    if flags & TcpFlags.FIN:
        return TcpEvent.CLIENT_FIN if is_client else TcpEvent.SERVER_FIN
    if flags & TcpFlags.SYN:
        return TcpEvent.CLIENT_SYN if is_client else TcpEvent.SERVER_SYN
    return None


EVENTS = {
    is_client: tuple(_event(flags, is_client=is_client) for flags in range(2 * TcpFlags.ACK))
    for is_client in (True, False)
}
"""What each combination of flags means, by whether the client sent it. To ask a flag for its bits takes longer."""
