"""ICMP errors on their way through the NAT, those of others and those of our own that it has to translate.

An error finds its mapping by the packet that it embeds (RFC 5508 section 4), and changes no mapping. One about a
hairpinned flow is translated twice. An answer of our own is translated where the packet that it embeds has been
translated already: that a next hop is silent is known only behind the NAT.
"""

from __future__ import annotations

from controller.nat.model import Side
from controller.nat.translator import Nat
from controller.openflow.errors import Errors
from controller.openflow.fragmenting import Sender
from controller.openflow.frames import Ipv4
from controller.openflow.icmp import IcmpError
from controller.openflow.routes import Routes
from controller.openflow.switch import NO_PORT, Arrival, Switch
from controller.wiring import ControllerConfiguration, routed


class ErrorRelay:
    """Passes ICMP errors on. By one from inside a host may give up, and the NAT's events say so."""

    def __init__(
        self,
        configuration: ControllerConfiguration,
        nat: Nat,
        errors: Errors,
        sender: Sender,
        routes: Routes,
        switch: Switch,
    ) -> None:
        self._inside = configuration.inside
        self._validates = configuration.settings.source_validation
        behind = routed(each for each in configuration.interfaces if each.side is Side.INSIDE)
        self._routed = [(int(each.network_address), int(each.netmask)) for each in behind]
        self._external = {int(address) for address in configuration.settings.external_addresses}
        self._nat, self._errors, self._sender, self._routes, self._switch = nat, errors, sender, routes, switch

    def relay(self, side: Side, error: IcmpError, now: float, most: int | None = None) -> None:
        """Pass on an error about a packet of a known flow (RFC 5508 REQ-4, REQ-5).

        `most` is the size of the largest of the fragments in which it came, if it did. An inside host that sends
        one about what it still waits for has given up.
        """
        if side is Side.OUTSIDE or self._is_of_receiver(error):
            self._translate(side, error, now, most)

    def _translate(self, side: Side, error: IcmpError, now: float, most: int | None = None) -> None:
        about = error.embedded
        if side is Side.OUTSIDE:
            flow = self._nat.inbound_flow(about.protocol, about.source, about.destination)
            if flow is not None:
                internal = flow.mapping.internal
                frame = error.translated(outer_destination=internal.address, embedded_source=internal)
                self._sender.forward(frame, most)
            return
        flow = self._nat.outbound_flow(about.protocol, about.destination, about.source)
        if flow is None:
            self._nat.gave_up(about.protocol, about.destination, about.source)
        else:
            external = flow.mapping.external
            frame = error.translated(outer_source=external.address, embedded_destination=external)
            self._from_inside(frame, error, now, most)

    def _is_of_receiver(self, error: IcmpError) -> bool:
        """Whether an error from inside is of the host that got the packet, or may be of a router before it."""
        receiver = error.embedded.destination.address
        is_behind = any(receiver & mask == network for network, mask in self._routed)
        return is_behind or not self._validates or error.outer.source == receiver

    def _from_inside(self, frame: bytes, error: IcmpError, now: float, most: int | None) -> None:
        """Send on an error from inside: to the outside, or to the inside host that its destination stands for.

        Then it is about what that host has sent (RFC 5508 REQ-7).
        """
        ip = Ipv4.parse(frame) if error.outer.destination in self._external else None
        if ip is None:
            self._sender.forward(frame, most)
        elif (again := IcmpError.parse(ip)) is not None:
            self._translate(Side.OUTSIDE, again, now, most)

    def answer_unresolved(self, frame: bytes, now: float) -> None:
        """Answer a packet whose next hop is silent."""
        ip, routes = Ipv4.parse(frame), self._routes
        answer = None if ip is None else self._errors.unresolved(ip, self._inside, now)
        if ip is None or answer is None:
            return
        if routes.is_inside(ip.source):
            self._switch.forward(answer.frame)
        elif (error := IcmpError.parse(answer)) is not None:
            self._translate(Side.INSIDE if routes.is_inside(ip.destination) else Side.OUTSIDE, error, now)

    def answer_unsolicited(self, arrival: Arrival, now: float) -> None:
        """Answer a SYN from outside that nothing has let in: also one that an inside host has sent."""
        answer = self._errors.unsolicited(arrival.quoted, now)
        if answer is None:
            return
        self._nat.counters[arrival.packet.protocol].icmp_sent += 1
        if arrival.in_port != NO_PORT:
            self._switch.forward(answer.frame)
        elif (error := IcmpError.parse(answer)) is not None:
            self._translate(Side.OUTSIDE, error, now)
