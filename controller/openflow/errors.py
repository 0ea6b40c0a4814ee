"""The ICMP errors of the gateway itself: when one is sent, from which address, and how many at most.

An error comes from the gateway's address on the link of its receiver. It embeds the packet as its sender wrote it,
since it is made before the NAT has touched the packet. Where a next hop is silent, that is known too late, and the
NAT has to translate the error back.

At most `icmp_rate` errors are sent in a second to each port of the gateway (RFC 1812 section 4.3.2.8), so that no
host can use up those of another. Refusals have a limit of their own, and so do resets of late segments, and errors
about a silent next hop and unsolicited SYNs, for each side. What an error looks like, and when none may be sent,
is in `answers`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable

from controller.nat.model import Side
from controller.nat.tokens import TokenBucket
from controller.openflow.answers import reset, time_exceeded, unreachable
from controller.openflow.frames import Ipv4
from controller.openflow.routes import Routes
from controller.openflow.switch import Switch
from controller.settings import Settings
from controller.wiring import Interface

BURST = 65_536
"""Refusals that may be sent at once: one for each refused packet, when a whole pool is asked for again."""

# Codes of Destination Unreachable (RFC 792).
_NETWORK, _HOST, _PROTOCOL, _PORT, _FRAGMENTATION_NEEDED = range(5)
_TCP, _UDP, _ICMP = 6, 17, 1

Buckets = defaultdict[Hashable, TokenBucket]
"""The limits of one kind of errors, each by its port, or by what the errors are about and the side."""


class Errors:
    """Sends ICMP errors. `sent` counts those about packets that could not be forwarded."""

    def __init__(self, settings: Settings, routes: Routes, switch: Switch) -> None:
        self._routes, self._switch = routes, switch
        self._code, rate = settings.icmp_code, settings.icmp_rate
        self._of_refusals: Buckets = defaultdict(lambda: TokenBucket(rate, max(BURST, rate), now=0.0))
        self._of_others: Buckets = defaultdict(lambda: TokenBucket(rate, max(1.0, rate), now=0.0))
        self._external = {int(address) for address in settings.external_addresses}
        self.sent = 0

    def refused(self, ip: Ipv4, interface: Interface, now: float) -> bool:
        """Answer a packet that the NAT refuses, and return whether an answer was sent (RFC 5508 REQ-8)."""
        tokens = self._of_refusals[interface.port]
        frame = _limited(tokens, now, lambda: unreachable(ip, code=self._code, source=_own(interface)))
        if frame is not None:
            self._switch.forward(frame)
        return frame is not None

    def late(self, ip: Ipv4, side: Side, now: float) -> bool:
        """Answer a segment of a connection that the NAT does not have, and return whether a reset was sent.

        Its sender takes the reset for its peer's (RFC 9293 section 3.10.7.1).
        """
        frame = _limited(self._of_refusals["late", side], now, lambda: reset(ip))
        if frame is not None:
            self._switch.forward(frame)
        return frame is not None

    def expired(self, ip: Ipv4, interface: Interface, now: float) -> None:
        """Answer a packet that may not be forwarded, since its TTL is used up (RFC 1812 section 5.3.1)."""
        self._send(interface, now, lambda: time_exceeded(ip, source=_own(interface)))

    def unrouted(self, ip: Ipv4, interface: Interface, now: float) -> None:
        """Answer a packet for which there is no route (RFC 1812 section 4.3.3.1)."""
        self._send(interface, now, lambda: unreachable(ip, code=_NETWORK, source=_own(interface)))

    def too_large(self, ip: Ipv4, interface: Interface, mtu: int, now: float) -> None:
        """Answer a packet that its link has no room for, which has only `mtu` (RFC 4787 REQ-13, RFC 1191)."""
        source = _own(interface)
        self._send(interface, now, lambda: unreachable(ip, code=_FRAGMENTATION_NEEDED, source=source, mtu=mtu))

    def not_served(self, ip: Ipv4, first: Ipv4, interface: Interface, now: float) -> None:
        """Answer a packet to the gateway itself, which serves nobody (RFC 1122 section 3.2.2.1, RFC 9293).

        `first` is its first fragment, or the packet itself: what an error quotes.
        """
        if ip.protocol == _TCP:
            self._send(interface, now, lambda: reset(ip))
        elif ip.protocol != _ICMP:
            code = _PORT if ip.protocol == _UDP else _PROTOCOL
            self._send(interface, now, lambda: unreachable(first, code=code, source=ip.destination))

    def unsolicited(self, ip: Ipv4, now: float) -> Ipv4 | None:
        """Return the answer to a SYN from outside that nobody has let in, or None (RFC 5382 REQ-4).

        It comes from the address that the SYN was sent to: only a host says that a port is unreachable (RFC 1122).
        """
        tokens = self._of_others["unsolicited", self._is_ours(ip.source)]
        frame = _limited(tokens, now, lambda: unreachable(ip, code=_PORT, source=ip.destination))
        return None if frame is None else Ipv4.parse(frame)

    def unresolved(self, ip: Ipv4, interface: Interface, now: float) -> Ipv4 | None:
        """Return the answer to a packet whose next hop is silent (RFC 1812 section 4.3.3.1), or None."""
        tokens = self._of_others["unresolved", self._is_ours(ip.source)]
        frame = _limited(tokens, now, lambda: unreachable(ip, code=_HOST, source=_own(interface)))
        self.sent += frame is not None
        return None if frame is None else Ipv4.parse(frame)

    def _is_ours(self, sender: int) -> bool:
        """Whether a packet is an inside host's, translated or not."""
        return sender in self._external or self._routes.is_inside(sender)

    def _send(self, receiver: Interface, now: float, make: Callable[[], bytes | None]) -> None:
        frame = _limited(self._of_others[receiver.port], now, make)
        if frame is not None:
            self.sent += 1
            self._switch.forward(frame)


def _own(interface: Interface) -> int:
    return int(interface.address.ip)


def _limited(tokens: TokenBucket, now: float, make: Callable[[], bytes | None]) -> bytes | None:
    """Return what `make` makes, if there is a token for it. It takes one only if it is made."""
    frame = make() if tokens.has_token(now) else None
    if frame is not None:
        tokens.take(now)
    return frame
