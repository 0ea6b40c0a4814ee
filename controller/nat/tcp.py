"""How a NAT follows a TCP connection: the state machine of RFC 7857, Figure 1, as a table.

"Client" is the side that sent the first SYN. A NAT that works by flow rules does not see the server's SYN. It
learns from packet counts that traffic went both ways, and takes that for the event SERVER_SYN. So a FIN may come
while the state is still INIT, and counts as one of an established connection. The NAT learns of data after a RST
in the same way, from counts that it reads a few times within the timeout.
"""

from __future__ import annotations

import enum


class TcpState(enum.Enum):
    """The states of RFC 7857, Figure 1, by its names."""

    __hash__ = object.__hash__

    CLOSED = "CLOSED"
    INIT = "INIT"
    ESTABLISHED = "ESTABLISHED"
    C_FIN_RCV = "C FIN RCV"
    S_FIN_RCV = "S FIN RCV"
    BOTH_FIN_RCV = "C FIN + S FIN RCV"
    TRANS = "TRANS"


class TcpEvent(enum.Enum):
    """What a NAT can observe of a connection."""

    __hash__ = object.__hash__

    CLIENT_SYN = "client SYN"
    SERVER_SYN = "server SYN"
    CLIENT_FIN = "client FIN"
    SERVER_FIN = "server FIN"
    RST = "RST"
    DATA = "data packet"
    IDLE = "idle for the established timeout"
    TIMEOUT = "the state's timeout"


class TcpTimer(enum.Enum):
    """The timeouts, each of which applies in some states; the values are the names of the settings."""

    __hash__ = object.__hash__

    OPENING = "tcp_trans_open_timeout"
    ESTABLISHED = "tcp_idle_timeout"
    CLOSING = "tcp_trans_close_timeout"
    RESET = "tcp_rst_timeout"


_S, _E = TcpState, TcpEvent

TRANSITIONS: dict[tuple[TcpState, TcpEvent], TcpState] = {
    (_S.CLOSED, _E.CLIENT_SYN): _S.INIT,
    # Also the other half of a simultaneous open (RFC 5382 REQ-2A).
    (_S.INIT, _E.SERVER_SYN): _S.ESTABLISHED,
    (_S.INIT, _E.CLIENT_FIN): _S.C_FIN_RCV,
    (_S.INIT, _E.SERVER_FIN): _S.S_FIN_RCV,
    (_S.INIT, _E.RST): _S.TRANS,
    (_S.INIT, _E.TIMEOUT): _S.CLOSED,
    (_S.ESTABLISHED, _E.CLIENT_FIN): _S.C_FIN_RCV,
    (_S.ESTABLISHED, _E.SERVER_FIN): _S.S_FIN_RCV,
    (_S.ESTABLISHED, _E.RST): _S.TRANS,
    (_S.ESTABLISHED, _E.IDLE): _S.TRANS,
    (_S.C_FIN_RCV, _E.SERVER_FIN): _S.BOTH_FIN_RCV,
    (_S.C_FIN_RCV, _E.RST): _S.TRANS,
    (_S.C_FIN_RCV, _E.IDLE): _S.TRANS,
    (_S.S_FIN_RCV, _E.CLIENT_FIN): _S.BOTH_FIN_RCV,
    (_S.S_FIN_RCV, _E.RST): _S.TRANS,
    (_S.S_FIN_RCV, _E.IDLE): _S.TRANS,
    (_S.BOTH_FIN_RCV, _E.TIMEOUT): _S.CLOSED,
    # RFC 7857 section 2.2: a forged RST ends nothing, if the connection goes on.
    (_S.TRANS, _E.DATA): _S.ESTABLISHED,
    (_S.TRANS, _E.TIMEOUT): _S.CLOSED,
    # A connection that ended may be opened again from the same endpoints (RFC 9293 section 3.6.1).
    (_S.BOTH_FIN_RCV, _E.CLIENT_SYN): _S.INIT,
    (_S.TRANS, _E.CLIENT_SYN): _S.INIT,
}
"""The next state, by state and event. An event that is not listed changes nothing."""

TIMERS: dict[TcpState, TcpTimer] = {
    TcpState.INIT: TcpTimer.OPENING,
    # RFC 5382 REQ-5: half-closed connections are in the established phase until both FINs were seen.
    TcpState.ESTABLISHED: TcpTimer.ESTABLISHED,
    TcpState.C_FIN_RCV: TcpTimer.ESTABLISHED,
    TcpState.S_FIN_RCV: TcpTimer.ESTABLISHED,
    TcpState.BOTH_FIN_RCV: TcpTimer.CLOSING,
    TcpState.TRANS: TcpTimer.RESET,
}
"""The timer that runs in each state. CLOSED has none: such a connection no longer exists."""


def next_state(state: TcpState, event: TcpEvent) -> TcpState:
    """Return the state after `event`, which is `state` itself where the event changes nothing."""
    return TRANSITIONS.get((state, event), state)
