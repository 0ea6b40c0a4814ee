"""What Linux makes of a refused packet: the error that a program gets, if any (ip(7), tcp(7), udp(7), icmp(7))."""

from __future__ import annotations

NOTHING = "nothing"
GIVEN_UP = "ETIMEDOUT"
"""TCP's kernel has lost patience."""
HOST_UNREACHABLE = 1
"""The ICMP code of a soft error: the host may come back (RFC 1122 section 3.2.2.1)."""


def returned(outcome: str, protocol: str, *, icmp_code: int, sender: str, queue: bool) -> str:
    """Return the error for an outcome (`timeout`, `reset` or `icmp`), with the ICMP message if that is known, too.

    `queue` says whether the program has asked for the error queue (IP_RECVERR). The message is of type 3
    (destination unreachable), and comes from `sender`.
    """
    if outcome == "timeout":
        return GIVEN_UP if protocol == "tcp" else NOTHING
    if outcome == "reset":
        return "ECONNREFUSED"
    # What ends a connect is queued unasked (tcp_v4_err). UDP and ping learn of a soft error on request only.
    if protocol == "tcp" or queue:
        return f"EHOSTUNREACH, ICMP 3/{icmp_code} from {sender}"
    return "EHOSTUNREACH" if icmp_code != HOST_UNREACHABLE else NOTHING
