"""An OpenFlow switch in memory: it holds rules, and tells what happens to a frame.

It knows the part of OpenFlow 1.3 that our rules use, as Open vSwitch does it: masks, registers, fragments (whose
ports are all 0), goto and resubmit, rewriting with checksums, the check of a frame's size. A frame does not leave
by the port by which it came, unless that is forgotten. Where OpenFlow leaves the result open (two different rules
of one priority match) it raises an error. Meters pass everything.

Frames are read and written with Scapy, so that the project's own reader of frames is not its own judge.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as Layer

from controller.openflow.rules import (
    TOO_LARGE,
    Act,
    Action,
    CheckLarger,
    Output,
    Resubmit,
    Rule,
    SetField,
    Table,
    Value,
)

ETHERNET_BYTES = 14
IPV4, ARP_TYPE, TCP_NUMBER, UDP_NUMBER = 0x0800, 0x0806, 6, 17
ANY_FRAGMENT, LATER_FRAGMENT = 1, 2
"""The bits of the field `ip_frag`."""

_PREREQUISITES: dict[str, dict[str, int]] = {
    "ip_proto": {"eth_type": IPV4},
    "ipv4_src": {"eth_type": IPV4},
    "ipv4_dst": {"eth_type": IPV4},
    "ip_frag": {"eth_type_nxm": IPV4},
    "nw_ttl": {"eth_type_nxm": IPV4},
    "arp_spa": {"eth_type": ARP_TYPE},
    "arp_tpa": {"eth_type": ARP_TYPE},
    "tcp_src": {"eth_type": IPV4, "ip_proto": TCP_NUMBER},
    "tcp_dst": {"eth_type": IPV4, "ip_proto": TCP_NUMBER},
    "tcp_flags": {"eth_type": IPV4, "ip_proto": TCP_NUMBER},
    "udp_src": {"eth_type": IPV4, "ip_proto": UDP_NUMBER},
    "udp_dst": {"eth_type": IPV4, "ip_proto": UDP_NUMBER},
}
"""What a rule that names a field must match as well (OpenFlow 1.3.5 section 7.2.3.8)."""

_ATTRIBUTES = {
    "eth_src": (Ether, "src"),
    "eth_dst": (Ether, "dst"),
    "ipv4_src": (IP, "src"),
    "ipv4_dst": (IP, "dst"),
    "tcp_src": (TCP, "sport"),
    "tcp_dst": (TCP, "dport"),
    "udp_src": (UDP, "sport"),
    "udp_dst": (UDP, "dport"),
}


class BadRuleError(Exception):
    """A rule that no switch would take."""


class AmbiguousError(Exception):
    """Two rules of the same priority match a frame and do not do the same."""


@dataclass(slots=True)
class Entry:
    """A rule in a table, and how many packets it has matched."""

    rule: Rule
    packets: int = 0


@dataclass(frozen=True, slots=True)
class PacketIn:
    """A frame that a rule of `table` sent to the controller."""

    table: Table
    in_port: int
    frame: bytes


@dataclass(slots=True)
class Outcome:
    """What became of a frame. One that is in none of the lists was dropped."""

    outputs: list[tuple[int, bytes]] = field(default_factory=list)
    normal: list[bytes] = field(default_factory=list)
    packet_ins: list[PacketIn] = field(default_factory=list)


class FlowTable:
    """The tables of one switch."""

    def __init__(self) -> None:
        self._tables: dict[Table, dict[tuple[int, frozenset[tuple[str, Value]]], Entry]] = {t: {} for t in Table}

    def __iter__(self) -> Iterator[Entry]:
        for entries in self._tables.values():
            yield from entries.values()

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._tables.values())

    def clear(self) -> None:
        """Remove every rule."""
        for entries in self._tables.values():
            entries.clear()

    def install(self, rule: Rule) -> None:
        """Add a rule. One with the same match and priority is replaced, and keeps its count."""
        _check(rule)
        old = self._tables[rule.table].get(_key(rule))
        self._tables[rule.table][_key(rule)] = Entry(rule, old.packets if old else 0)

    def remove(self, rule: Rule) -> None:
        """Remove the rule with this table, match and priority; none is no error."""
        self._tables[rule.table].pop(_key(rule), None)

    def run(self, data: bytes, in_port: int, *, table: Table = Table.ADMIT, reg0: int = 0) -> Outcome:
        """Send a frame through the tables, from `table` on, and say what became of it."""
        outcome = Outcome()
        self._run(Frame(data, in_port, reg0), table, outcome)
        return outcome

    def _run(self, frame: Frame, table: Table, outcome: Outcome) -> None:
        at: Table | None = table
        while at is not None:
            entry = self._lookup(at, frame)
            if entry is None:
                return
            entry.packets += 1
            for action in entry.rule.actions:
                if isinstance(action, Resubmit):
                    self._run(frame, action.table, outcome)
                elif not _apply(action, frame, at, outcome):
                    return
            at = entry.rule.goto

    def _lookup(self, table: Table, frame: Frame) -> Entry | None:
        matching = [entry for entry in self._tables[table].values() if frame.matches(entry.rule)]
        if not matching:
            return None
        highest = max(entry.rule.priority for entry in matching)
        first, *others = [entry for entry in matching if entry.rule.priority == highest]
        for other in others:
            if (other.rule.actions, other.rule.goto) != (first.rule.actions, first.rule.goto):
                raise AmbiguousError(f"{first.rule} and {other.rule}")
        return first


class Frame:
    """A frame on its way through the tables: its fields by their OXM names, and its bytes."""

    def __init__(self, data: bytes, in_port: int, reg0: int) -> None:
        self._written: bytes | None = data
        self._stale: set[type[Layer]] = set()
        self.packet = packet = Ether(data)
        self.fields = {
            "in_port": in_port,
            "reg0": reg0,
            TOO_LARGE[0]: 0,
            "eth_src": _number(packet.src),
            "eth_dst": _number(packet.dst),
            "vlan_vid": 0x1000 | packet[Dot1Q].vlan if Dot1Q in packet else 0,
            **_network_fields(packet, data),
        }

    def matches(self, rule: Rule) -> bool:
        """Whether this frame matches the rule. A field that the frame lacks never matches."""
        for name, wanted in rule.match:
            if name not in self.fields:
                return False
            value, mask = wanted if isinstance(wanted, tuple) else (wanted, -1)
            if self.fields[name] & _number(mask) != _number(value) & _number(mask):
                return False
        return True

    @property
    def in_port(self) -> int:
        """The port that it came in by, or 0 if that is to be forgotten."""
        return self.fields["in_port"]

    def set(self, name: str, value: int | str) -> None:
        """Rewrite a field or a register."""
        if name not in _ATTRIBUTES:
            self.fields[name] = _number(value)
            return
        self._written = None
        layer, attribute = _ATTRIBUTES[name]
        setattr(self.packet[layer], attribute, value)
        self.fields[name] = _number(value)
        self._stale |= {IP, TCP, UDP} if layer is IP else {layer} - {Ether}

    def decrement_ttl(self) -> bool:
        """Return False where the packet has come too far."""
        if self.packet[IP].ttl <= 1:
            return False
        self._written = None
        self.packet[IP].ttl -= 1
        self._stale.add(IP)
        return True

    def data(self) -> bytes:
        """Return the frame as it is now, with new checksums where they cover what was rewritten."""
        if self._written is None:
            _forget_checksums(self.packet, self._stale)
            self._written = bytes(self.packet)
        return self._written


def _network_fields(packet: Layer, data: bytes) -> dict[str, int]:
    ethertype = packet[Dot1Q].type if Dot1Q in packet else getattr(packet, "type", 0)
    fields = {"eth_type": ethertype, "eth_type_nxm": ethertype}
    if ethertype == ARP_TYPE and ARP in packet:
        fields["arp_spa"], fields["arp_tpa"] = _number(packet[ARP].psrc), _number(packet[ARP].pdst)
    if ethertype == IPV4:
        available = len(data) - (18 if Dot1Q in packet else 14)
        fields |= _ipv4_fields(packet.getlayer(IP), available)
    return fields


def _ipv4_fields(ip: Layer | None, available: int) -> dict[str, int]:
    if ip is None or ip.version != 4 or ip.ihl < 5 or not ip.ihl * 4 <= ip.len <= available:
        return dict.fromkeys(
            ("ip_proto", "ipv4_src", "ipv4_dst", "ip_frag", "nw_ttl"), 0
        )  # a header that makes no sense
    is_fragment = bool(ip.frag or "MF" in ip.flags)
    fields = {
        "ip_proto": ip.proto,
        "ipv4_src": _number(ip.src),
        "ipv4_dst": _number(ip.dst),
        "nw_ttl": ip.ttl,
        "ip_frag": is_fragment * ANY_FRAGMENT | bool(ip.frag) * LATER_FRAGMENT,
    }
    length = 0 if is_fragment else ip.len - ip.ihl * 4
    if ip.proto == TCP_NUMBER:
        is_whole = length >= 20 and TCP in ip
        fields["tcp_src"], fields["tcp_dst"] = (ip[TCP].sport, ip[TCP].dport) if is_whole else (0, 0)
        fields["tcp_flags"] = int(ip[TCP].flags) if is_whole else 0
    elif ip.proto == UDP_NUMBER:
        is_whole = length >= 8 and UDP in ip
        fields["udp_src"], fields["udp_dst"] = (ip[UDP].sport, ip[UDP].dport) if is_whole else (0, 0)
    return fields


def _apply(action: Action, frame: Frame, table: Table, outcome: Outcome) -> bool:
    """Carry out one action, and say whether the frame goes on."""
    match action:
        case SetField(name, value):
            frame.set(name, value)
        case Act.DECREMENT_TTL:
            return frame.decrement_ttl()  # the switch could tell its controller, but ours does not ask for it
        case CheckLarger(most):
            frame.set(TOO_LARGE[0], int(len(frame.data()) > most + ETHERNET_BYTES))
        case Act.MAY_RETURN:
            frame.set("in_port", 0)
        case Output(port):
            if port != frame.in_port:
                outcome.outputs.append((port, frame.data()))
        case Act.TO_CONTROLLER:
            outcome.packet_ins.append(PacketIn(table, frame.in_port, frame.data()))
        case Act.MAY_RETURN:
            frame.in_port = 0
        case Act.AS_A_LAN_SWITCH:
            outcome.normal.append(frame.data())
    return True


def with_checksums(packet: Layer, layers: Iterable[type[Layer]] = (IP, TCP, UDP, ICMP)) -> Layer:
    """Return the frame with the checksums of these layers as Scapy computes them; a UDP checksum of 0 stays."""
    packet = packet.copy()
    _forget_checksums(packet, layers)
    return Ether(bytes(packet))


def _forget_checksums(packet: Layer, layers: Iterable[type[Layer]]) -> None:
    """Let Scapy compute the checksums of these layers when it next writes the packet."""
    for layer in layers:
        if layer in packet and not (layer is UDP and packet[UDP].chksum == 0):
            del packet[layer].chksum


def _key(rule: Rule) -> tuple[int, frozenset[tuple[str, Value]]]:
    return rule.priority, frozenset(rule.match)


def _check(rule: Rule) -> None:
    """Raise BadRuleError where a switch would answer with an error."""
    seen: dict[str, int | tuple[int, int]] = {}
    for name, wanted in rule.match:
        for required, value in _PREREQUISITES.get(name, {}).items():
            if value not in (seen.get(required), seen.get(f"{required}_nxm")):
                raise BadRuleError(f"{name} needs {required}={value:#x} before it: {rule}")
        if isinstance(wanted, tuple):
            value, mask = _number(wanted[0]), _number(wanted[1])
            if value & ~mask:
                raise BadRuleError(f"{name}: the value has bits outside of its mask: {rule}")
            seen[name] = (value, mask)
        else:
            seen[name] = _number(wanted)
    if rule.goto is not None and rule.goto <= rule.table:
        raise BadRuleError(f"goto leads back: {rule}")


def _number(value: int | str) -> int:
    """Read a number, a MAC address or an IPv4 address."""
    if isinstance(value, int):
        return value
    return int(value.replace(":", ""), 16) if ":" in value else int(ipaddress.IPv4Address(value))
