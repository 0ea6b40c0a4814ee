"""A NAT as a program: two packet sockets, and one table. It needs nothing but Python.

    ./lastport run port-exhaustion --gateway program \
        --set program='python3 docs/examples/programs/packet_nat.py {inside} {outside}'

What else it has to know it reads from the file that LASTPORT_WIRING names. It translates TCP, UDP and pings, and
gives each inside endpoint one external port for all destinations (RFC 4787 REQ-1). It sends no ICMP errors.
"""

import collections
import ipaddress
import json
import os
import select
import socket
import struct
import sys
import time

with open(os.environ["LASTPORT_WIRING"]) as file:
    FACTS = json.load(file)
MAC = bytes.fromhex(FACTS["mac"].replace(":", ""))
LAN_IP, WAN_IP, NEXT_HOP, *EXTERNAL = (
    ipaddress.ip_address(each).packed
    for each in (FACTS["lan_ip"], FACTS["wan_ip"], FACTS["next_hop"], *FACTS["external_ips"])
)
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST = 1, 2, 4
IDLE = {ICMP: FACTS["icmp_timeout"], TCP: FACTS["tcp_idle_timeout"], UDP: FACTS["udp_timeout"]}
CHECKSUM_AT = {ICMP: 2, TCP: 16, UDP: 6}
SWEEP_EVERY_S = 0.1
ALL, ARP, IPV4 = 3, b"\x08\x06", b"\x08\x00"


class Mapping:
    """One inside endpoint and its external one."""

    def __init__(self, protocol, inside, mac, external):
        self.protocol, self.inside, self.mac, self.external = protocol, inside, mac, external
        self.fins, self.ends_at, self.is_closing, self.is_answered = set(), 0.0, False, False

    def saw(self, side, flags, now):
        """Set the time at which it ends, by a packet from inside or outside."""
        if side == "outside":
            self.is_answered = True
        if flags & SYN and side == "inside" and self.is_closing:
            self.fins, self.is_closing = set(), False
        if self.is_closing:
            return
        if flags & FIN:
            self.fins.add(side)
        if flags & RST or len(self.fins) == 2:
            self.is_closing = True
            self.ends_at = now + FACTS["tcp_rst_timeout" if flags & RST else "tcp_close_timeout"]
        elif self.protocol == TCP and not self.is_answered:
            self.ends_at = now + FACTS["tcp_open_timeout"]
        else:
            self.ends_at = now + IDLE[self.protocol]


class Nat:
    """The table, the free ports, and the two sockets."""

    def __init__(self, inside, outside):
        self.lan, self.wan = opened(inside), opened(outside)
        ports = range(FACTS["first_port"], FACTS["last_port"] + 1)
        self.free = {(kind, ip): collections.deque(ports) for kind in IDLE for ip in EXTERNAL}
        self.by_inside, self.by_external, self.address_of = {}, {}, {}
        self.next_hop_mac = None
        self.swept_at = 0.0

    def run(self):
        """Carry packets for ever."""
        while True:
            readable, _, _ = select.select([self.lan, self.wan], [], [], SWEEP_EVERY_S)
            now = time.monotonic()
            if now - self.swept_at >= SWEEP_EVERY_S:
                self.sweep(now)
            for wire in readable:
                frame, (_, _, kind, *_) = wire.recvfrom(65535)
                if kind == socket.PACKET_OUTGOING or frame[6:12] == MAC:
                    continue
                if frame[12:14] == ARP:
                    self.arp(wire, frame)
                elif frame[12:14] == IPV4 and frame[:6] == MAC:
                    self.translate(wire, bytearray(frame), now)

    def sweep(self, now):
        """End what is over, and ask for the next hop's MAC address until it is known."""
        self.swept_at = now
        for mapping in [each for each in self.by_external.values() if each.ends_at <= now]:
            del self.by_inside[mapping.protocol, mapping.inside]
            del self.by_external[mapping.protocol, mapping.external]
            address, port = mapping.external
            self.free[mapping.protocol, address].append(port)
        if self.next_hop_mac is None:
            self.say(self.wan, 1, WAN_IP, b"\xff" * 6, NEXT_HOP)

    def arp(self, wire, frame):
        """Answer for the addresses that are ours on this side, and learn the next hop's."""
        operation, mac, sender, _, target = struct.unpack("!H6s4s6s4s", frame[20:42])
        if wire is self.wan and sender == NEXT_HOP:
            self.next_hop_mac = mac
        if operation == 1 and target in ([LAN_IP] if wire is self.lan else [WAN_IP, *EXTERNAL]):
            self.say(wire, 2, target, mac, sender)

    def say(self, wire, operation, own, mac, address):
        """Send an ARP request or reply."""
        wire.send(mac + MAC + ARP + struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + MAC + own + mac + address)

    def translate(self, wire, frame, now):
        """Translate one packet of a protocol with ports, or an echo, and send it on the other side."""
        l4 = 14 + (frame[14] & 15) * 4
        end = 14 + int.from_bytes(frame[16:18], "big")
        protocol, is_fragment = frame[23], int.from_bytes(frame[20:22], "big") & 0x3FFF
        if protocol not in IDLE or is_fragment or frame[22] < 2 or len(frame) < l4 + 8:
            return
        side = "inside" if wire is self.lan else "outside"
        if protocol == ICMP and frame[l4] != (8 if side == "inside" else 0):
            return
        flags = frame[l4 + 13] if protocol == TCP else 0
        own = l4 + 4 if protocol == ICMP else l4 if side == "inside" else l4 + 2
        number = int.from_bytes(frame[own : own + 2], "big")
        if side == "inside":
            mapping = self.outbound(protocol, (bytes(frame[26:30]), number), bytes(frame[6:12]), flags)
        else:
            mapping = self.by_external.get((protocol, (bytes(frame[30:34]), number)))
        if mapping is None or self.next_hop_mac is None:
            return
        mapping.saw(side, flags, now)
        address, port = mapping.external if side == "inside" else mapping.inside
        place = 26 if side == "inside" else 30
        self.rewrite(frame, l4, protocol, place, address, own, port)
        if side == "inside":
            frame[:12] = self.next_hop_mac + MAC
            self.wan.send(frame[:end])
        else:
            frame[:12] = mapping.mac + MAC
            self.lan.send(frame[:end])

    def outbound(self, protocol, inside, mac, flags):
        """Return the mapping of an inside endpoint: a new one, if it may begin one and a port is free."""
        mapping = self.by_inside.get((protocol, inside))
        if mapping is not None or (protocol == TCP and flags & (SYN | RST | FIN) != SYN):
            return mapping
        address = self.address_of.setdefault(inside[0], EXTERNAL[len(self.address_of) % len(EXTERNAL)])
        free = self.free[protocol, address]
        if not free:
            return None
        mapping = Mapping(protocol, inside, mac, (address, free.popleft()))
        self.by_inside[protocol, inside] = self.by_external[protocol, mapping.external] = mapping
        return mapping

    def rewrite(self, frame, l4, protocol, place, address, own, port):
        """Put an address and a port in, and the TTL one lower; correct both checksums (RFC 1624)."""
        number = port.to_bytes(2, "big")
        old, new = bytes(frame[place : place + 4]), bytes(address)
        old_port = bytes(frame[own : own + 2])
        old_ttl = bytes(frame[22:24])
        frame[22] -= 1
        frame[place : place + 4], frame[own : own + 2] = new, number
        frame[24:26] = corrected(frame[24:26], old + old_ttl, new + bytes(frame[22:24]))
        at = l4 + CHECKSUM_AT[protocol]
        if protocol == ICMP:
            frame[at : at + 2] = corrected(frame[at : at + 2], old_port, number)
        elif protocol == TCP or frame[at : at + 2] != b"\0\0":
            checksum = corrected(frame[at : at + 2], old + old_port, new + number)
            frame[at : at + 2] = checksum if protocol == TCP or checksum != b"\0\0" else b"\xff\xff"


def corrected(checksum, old, new):
    """Return a checksum after some of what it covers was replaced."""
    total = ~int.from_bytes(checksum, "big") & 0xFFFF
    for (was,), (now,) in zip(struct.iter_unpack("!H", old), struct.iter_unpack("!H", new), strict=True):
        total += (~was & 0xFFFF) + now
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def opened(interface):
    """Return a packet socket at an interface."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    wire.bind((interface, ALL))
    return wire


if __name__ == "__main__":
    Nat(*sys.argv[1:3]).run()
