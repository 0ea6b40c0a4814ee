"""Neighbours: the MAC address and port of each host on a link, and the frames that wait until these are known.

Anybody can claim anything by ARP (RFC 826). So the gateway believes nobody whom it has not asked:

- A reply counts only while a request for that address is under way, and only from a port at which the host may be.
- A request from a host that is not known yet is answered, and makes the gateway ask back. So a host that speaks
  first is known when its first answer comes.
- If a known host seems to have moved, the gateway asks the one that it knows. Only if that one is silent does it
  ask all.
- Who is known is asked again once a minute, and forgotten if it does not answer (RFC 1122 section 2.3.2.1).

Everything is bounded. When there are MOST_NEIGHBOURS, newcomers are refused: those who are served stay served.
When MOST_ASKED hosts are asked for at once, the oldest is given up, since a host that is there answers at once.
The frames of one port cannot take the room of all others. A host is asked for even where its frame is dropped.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from controller.nat.timers import Timed, TimerQueue
from controller.openflow.frames import ARP_REPLY, ARP_REQUEST, NO_MAC, Arp
from controller.openflow.routes import Routes
from controller.openflow.switch import Switch
from controller.wiring import ControllerConfiguration, Interface

MOST_NEIGHBOURS = 16_384
MOST_ASKED = 1024
"""The most hosts that are asked for at once and have not answered yet."""
WAITING_FRAMES = 1024
"""The most frames that wait for one host. With one more the oldest is dropped."""
MOST_WAITING_FRAMES = 4096
"""The most frames that wait for all hosts. One more is dropped."""
MOST_WAITING_OF_PORT = 1024
"""The most of them that came by one port."""
ASK_AGAIN_S = 1.0
"""RFC 1122 section 2.3.2.1: at most one request a second."""
MOST_REQUESTS = 3
VERIFY_EVERY_S = 60.0


@dataclass(slots=True, eq=False)
class _Neighbour(Timed):
    """A host: known by its `mac` and `port`, or only asked for. `asked` counts requests without an answer."""

    address: int
    mac: bytes | None = None
    port: int | None = None
    asked: int = 0
    asked_at: float = -math.inf
    has_rival: bool = False
    """Whether somebody else has claimed the address since it was last verified."""
    is_wanted: bool = False
    """Whether it is asked for at every port, since a frame has come for it."""
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    """What waits for it, each with the port that it came in by."""


class Neighbours:
    """The gateway's ARP, on both sides. `tick` returns the frames whose next hop did not answer."""

    def __init__(self, configuration: ControllerConfiguration, switch: Switch) -> None:
        self._switch = switch
        self.routes = Routes(configuration)
        self._mac = bytes.fromhex(configuration.mac.replace(":", ""))
        self._interfaces = {each.port: each for each in configuration.interfaces}
        self._known: dict[int, _Neighbour] = {}
        self._asked: dict[int, _Neighbour] = {}
        """Those that have never answered, oldest first."""
        self._asking: TimerQueue[_Neighbour] = TimerQueue(ASK_AGAIN_S)
        self._verified: TimerQueue[_Neighbour] = TimerQueue(VERIFY_EVERY_S)
        self._waiting: Counter[int] = Counter()
        """The frames that wait, by the port that they came in by."""
        self._unreachable: list[bytes] = []
        self.ignored = 0
        """ARP messages that were not believed."""
        self.dropped = 0
        """Frames that were dropped because their next hop is not known."""

    def __len__(self) -> int:
        return len(self._known)

    def install(self) -> None:
        """Install the rules of all known hosts again."""
        for neighbour in self._known.values():
            self._install(neighbour)

    # Messages

    def arp(self, arp: Arp, interface: Interface, now: float) -> None:
        """Answer a request, and take note of what a message proves, or gives reason to ask."""
        if arp.operation == ARP_REQUEST and self.routes.is_ours(arp.target, interface):
            reply = Arp(ARP_REPLY, self._mac, arp.target, arp.sender_mac, arp.sender)
            self._switch.send(reply.frame(), interface.port)
        if not self._is_possible(arp, interface):
            self.ignored += 1
        elif arp.operation == ARP_REPLY:
            self._answered(arp, interface, now)
        elif arp.operation == ARP_REQUEST:
            self._claimed(arp, interface, now)

    def _is_possible(self, arp: Arp, interface: Interface) -> bool:
        """Whether a host at that port may have that address, and its MAC address is one host's, and not ours."""
        is_one = not arp.sender_mac[0] & 1 and arp.sender_mac not in (self._mac, NO_MAC)
        return is_one and interface.port in self.routes.ports(arp.sender)

    def _answered(self, arp: Arp, interface: Interface, now: float) -> None:
        neighbour = self._asked.get(arp.sender) or self._known.get(arp.sender)
        if neighbour is None or not neighbour.asked:
            self.ignored += 1  # nobody has asked
        elif neighbour.mac is None:
            self._learn(neighbour, arp.sender_mac, interface.port, now)
        elif (neighbour.mac, neighbour.port) == (arp.sender_mac, interface.port):
            self._verify(neighbour, now)
        else:
            self.ignored += 1  # the known one is asked first

    def _claimed(self, arp: Arp, interface: Interface, now: float) -> None:
        """Take note of a request's sender, who may be new or have moved."""
        neighbour = self._known.get(arp.sender)
        if neighbour is None:
            if arp.sender not in self._asked and self._has_room():
                self._ask(self._begin(arp.sender), now, only=interface.port)
        elif (neighbour.mac, neighbour.port) != (arp.sender_mac, interface.port):
            self.ignored += 1
            is_news, neighbour.has_rival = not neighbour.has_rival, True
            if is_news and not neighbour.asked:
                self._doubt(neighbour, now)

    def _doubt(self, neighbour: _Neighbour, now: float) -> None:
        """Ask a known host, in a second if it was asked less than a second ago (RFC 1122 section 2.3.2.1)."""
        if now - neighbour.asked_at >= ASK_AGAIN_S:
            self._ask(neighbour, now)
        else:
            self._asking.arm(neighbour, now)

    # Frames

    def resolve(self, frame: bytes, in_port: int, destination: int, now: float) -> None:
        """Keep a translated frame until its next hop is known, and ask for that by ARP."""
        hop = self.routes.next_hop(destination)
        if hop is None or not self.routes.ports(hop):
            self._drop([frame])  # nobody is there
        elif hop in self._known:
            self._switch.forward(frame)  # it was under way while its next hop became known
        elif not (hop in self._asked or self._has_room()):
            self.dropped += 1
        else:
            self._wait(frame, in_port, self._asked.get(hop) or self._begin(hop), now)

    def _wait(self, frame: bytes, in_port: int, neighbour: _Neighbour, now: float) -> None:
        if not neighbour.is_wanted:
            neighbour.is_wanted, neighbour.asked = True, 0
            self._ask(neighbour, now)  # at every port, whoever has claimed to be it
        if len(neighbour.frames) == WAITING_FRAMES:
            self._waiting[neighbour.frames.pop(0)[0]] -= 1
            self.dropped += 1
        if self._waiting[in_port] >= MOST_WAITING_OF_PORT or self._waiting.total() >= MOST_WAITING_FRAMES:
            self.dropped += 1
        else:
            self._waiting[in_port] += 1
            neighbour.frames.append((in_port, frame))

    def _taken(self, neighbour: _Neighbour) -> list[bytes]:
        """Return what waits for a host, which waits no more."""
        frames = [frame for _, frame in neighbour.frames]
        self._waiting.subtract(port for port, _ in neighbour.frames)
        neighbour.frames.clear()
        neighbour.is_wanted = False
        return frames

    def tick(self, now: float) -> list[bytes]:
        """Ask again, and give up. Return the frames that were dropped since their next hop is not there."""
        for neighbour in self._asking.due(now):
            if neighbour.asked < MOST_REQUESTS:
                self._ask(neighbour, now)
            elif neighbour.mac is None:
                self._give_up(neighbour)
            else:
                self._forget(neighbour, now)
        for neighbour in self._verified.due(now):
            self._ask(neighbour, now)
        unreachable, self._unreachable = self._unreachable, []
        return unreachable

    def _drop(self, frames: list[bytes]) -> None:
        self.dropped += len(frames)
        self._unreachable += frames[: MOST_WAITING_FRAMES - len(self._unreachable)]

    # The life of a neighbour

    def _has_room(self) -> bool:
        return len(self._known) + len(self._asked) < MOST_NEIGHBOURS

    def _begin(self, address: int) -> _Neighbour:
        if len(self._asked) >= MOST_ASKED:
            self._give_up(next(iter(self._asked.values())))
        neighbour = self._asked[address] = _Neighbour(address)
        return neighbour

    def _ask(self, neighbour: _Neighbour, now: float, *, only: int | None = None) -> None:
        """Ask the host that is known; or else all at the ports where it may be, or all at one port only."""
        neighbour.asked += 1
        neighbour.asked_at = now
        self._asking.arm(neighbour, now)
        only = only or neighbour.port
        for port in self.routes.ports(neighbour.address) if only is None else (only,):
            own = int(self._interfaces[port].address.ip)
            request = Arp(ARP_REQUEST, self._mac, own, neighbour.mac or NO_MAC, neighbour.address)
            self._switch.send(request.frame(), port)

    def _learn(self, neighbour: _Neighbour, mac: bytes, port: int, now: float) -> None:
        """Take a host that has answered for known, and let go what waits for it."""
        del self._asked[neighbour.address]
        self._known[neighbour.address] = neighbour
        neighbour.mac, neighbour.port = mac, port
        self._install(neighbour)
        for frame in self._taken(neighbour):
            self._switch.forward(frame)
        self._verify(neighbour, now)

    def _verify(self, neighbour: _Neighbour, now: float) -> None:
        neighbour.asked, neighbour.has_rival = 0, False
        self._verified.arm(neighbour, now)

    def _forget(self, neighbour: _Neighbour, now: float) -> None:
        """Remove a host that is silent. If somebody else has claimed its address, ask all who has it now."""
        assert neighbour.mac is not None
        assert neighbour.port is not None
        del self._known[neighbour.address]
        for rule in self.routes.rules(neighbour.address, neighbour.mac, neighbour.port):
            self._switch.withdraw(rule)
        if neighbour.has_rival:
            self._ask(self._begin(neighbour.address), now)

    def _give_up(self, neighbour: _Neighbour) -> None:
        """Drop what waits for a host that has never answered."""
        del self._asked[neighbour.address]
        self._asking.disarm(neighbour)
        self._drop(self._taken(neighbour))

    def _install(self, neighbour: _Neighbour) -> None:
        assert neighbour.mac is not None
        assert neighbour.port is not None
        for rule in self.routes.rules(neighbour.address, neighbour.mac, neighbour.port):
            self._switch.install(rule)
