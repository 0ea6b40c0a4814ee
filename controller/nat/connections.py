"""The TCP connections, the state of each, and when each is over (RFC 7857 section 2, RFC 5382 REQ-5).

The transitions are in `tcp.py`. Rules forward the packets, so that only some segments are seen here: the first
SYN, FINs and RSTs. The rest is known by the packet counts of the connection's flow.

Deviation: where several connections share a flow, they share its counts. One without an answer may then be taken
for answered, and lives for the established timeout (RFC 5382 REQ-5 asks for no less). Data after a RST cannot be
told apart from the other connections' data, so that such a connection ends with its timer.
"""

from __future__ import annotations

from controller.nat.model import INSIDE, SYN, Connection, Endpoint, Flow, Side, TcpFlags
from controller.nat.tcp import TIMERS, TcpEvent, TcpState, TcpTimer, next_state
from controller.nat.timers import TimerQueue

EXAMINATIONS = 4
"""How often a flow's packet counts are examined within an idle timeout."""
UNKNOWN = -1
"""A count that has not been read since."""

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

    def track(self, flow: Flow, remote: Endpoint, sender: Side, flags: TcpFlags, now: float) -> None:
        """Take note of a segment that `sender` sent on a flow."""
        connection = flow.connections.get(remote) if flow.connections else None
        if connection is None:
            if flags == SYN:  # or it is a late segment of a connection that has ended
                self.open(flow, remote, sender, now)
            return
        if flags == SYN and connection.state in _ENDED:
            connection.client = sender  # either side may open it again
        event = EVENTS[sender is connection.client][flags]
        if event is not None:
            self._advance(connection, event, now)

    def open(self, flow: Flow, remote: Endpoint, client: Side, now: float) -> None:
        """Take note of the first SYN of a connection, which `client` sent."""
        packets_before = flow.inbound_packets if client is INSIDE else flow.outbound_packets
        connection = Connection(flow, remote, client, now, packets_before, _OPENED)
        if flow.connections is None:
            flow.connections = {}
        flow.connections[remote] = connection
        self._timer_in[_OPENED].arm(connection, now)

    def due(self, now: float) -> tuple[list[Connection], list[Flow]]:
        """Return the connections that have closed by `now`, and the flows whose counts decide about others."""
        closed = list(self._timers[TcpTimer.CLOSING].due(now))
        examine: dict[Flow, None] = {}
        for timer in (TcpTimer.OPENING, TcpTimer.ESTABLISHED, TcpTimer.RESET):
            for connection in list(self._timers[timer].due(now)):
                self._timers[timer].arm(connection, now)
                examine[connection.flow] = None
        return closed, list(examine)

    def examined(self, flow: Flow, now: float) -> list[Connection]:
        """Advance a flow's connections by its new counts, and return those that are over."""
        if not flow.connections:
            return []
        return [each for each in flow.connections.values() if self._is_over(each, now)]

    def counts_restarted(self, flow: Flow, now: float) -> None:
        """Take a flow's connections for established: its rules count from zero, and earlier counts are lost."""
        for connection in (flow.connections or {}).values():
            connection.packets_before = 0
            self._advance(connection, TcpEvent.SERVER_SYN, now)

    def forget(self, connection: Connection) -> None:
        """Remove a connection, with its timer."""
        self._timer_in[connection.state].disarm(connection)
        if connection.flow.connections is not None:
            del connection.flow.connections[connection.remote]

    @property
    def next_deadlines(self) -> list[float | None]:
        """When each timer runs out next."""
        return [queue.next_deadline for queue in self._timers.values()]

    def _advance(self, connection: Connection, event: TcpEvent, now: float) -> None:
        """Enter the next state and start its timer. An event that changes nothing starts the timer again.

        The timer after a RST is an exception: another RST is no data, and must not keep what the first one ended.
        """
        before = connection.state
        state = next_state(before, event)
        if state is before is _RESET:
            connection.packets_before = UNKNOWN
            return
        if state is not before:
            connection.state = state
            if state is _OPENED:
                connection.packets_before = connection.flow.packets_from(connection.client.other)
            elif state is _RESET:
                connection.packets_before = UNKNOWN
        if state is not before or state is _OPENED:
            connection.since = now
        self._timer_in[state].arm(connection, now)

    def _is_over(self, connection: Connection, now: float) -> bool:
        flow, waited = connection.flow, now - connection.since
        if connection.state is _OPENED:
            if flow.packets_from(connection.client.other) > connection.packets_before:
                self._advance(connection, TcpEvent.SERVER_SYN, now)
                return False
            return waited >= self._timeouts[TcpTimer.OPENING]
        if connection.state is _RESET:
            return not self._goes_on(connection, now) and waited >= self._timeouts[TcpTimer.RESET]
        is_idle = now - flow.last_use >= self._timeouts[TcpTimer.ESTABLISHED]
        if connection.state in _ESTABLISHED_PHASE and is_idle:
            self._advance(connection, TcpEvent.IDLE, now)
        return False

    def _goes_on(self, connection: Connection, now: float) -> bool:
        """Whether data has passed since a RST, or since it seemed idle. The first look only takes the count."""
        flow = connection.flow
        packets = flow.outbound_packets + flow.inbound_packets
        if connection.packets_before == UNKNOWN:
            connection.packets_before = packets
        elif packets > connection.packets_before and len(flow.connections or {}) == 1:
            self._advance(connection, TcpEvent.DATA, now)
            return True
        return False


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
