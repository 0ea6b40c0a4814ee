"""Does the NAT still count its ports after a storm of damaged, forged and random frames from both sides?

Set-up        port-exhaustion's; raw sockets on two inside hosts and an outside one, which know nothing of the NAT
Action        `frames` frames in turn from inside and outside: ARP, IPv4 of every protocol, fragments, ICMP errors,
              with wrong lengths, checksums, addresses and TTLs; then the hosts forget their neighbours, the NAT
              its mappings, and port-exhaustion runs
Expectation   no leak, the controller's memory and the switch's tables stay bounded, and port-exhaustion is exact
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

from scenarios.port_exhaustion import ExhaustionParameters, PortExhaustion
from testbed.api import Experiment, at_most
from testbed.sandbox.linux import network_of
from topologies.gateways.bridge import output

ETHERTYPES = (0x0800, 0x0806, 0x86DD, 0x8100, 0x0000, 0xFFFF)
PROTOCOLS = (1, 1, 6, 6, 6, 17, 17, 17, 0, 2, 33, 41, 47, 50, 58, 132, 136, 255)
PACE_EVERY = 200
"""Frames after which the storm waits until a burst of that size can have been taken."""
PACE_S = 0.02
MOST_GROWTH_KIB = 8 * 1024
MOST_RULES = 1_000
GROWS = re.compile("port_mapping_creations|packet_ins_|dropped_|evicted_")


class StormParameters(ExhaustionParameters):
    """The parameters of port-exhaustion, and those of the storm."""

    frames: int = 4000
    storm_seed: int = 1


class Storm(PortExhaustion):
    """Does the NAT still count its ports after a storm?"""

    name = "storm"
    claim = "frames that make no sense cost nothing that lasts"
    Parameters = StormParameters

    def run(self, x: Experiment[Any]) -> None:
        """Send the storm, forget what it made, and run port-exhaustion."""
        gateway = x.lab.gateway
        pid = gateway.controller.process.pid
        before = resident(pid)
        with x.phase("storm"):
            storm(x)
        x.counters()  # the controller answers when it has taken all frames
        for host in (*x.lab.clients, *x.lab.servers):
            subprocess.run(["nsenter", f"--net={host.netns}", "ip", "neighbour", "flush", "all"], check=True)
        x.check(
            "KiB of memory that the controller gained",
            expected=at_most(MOST_GROWTH_KIB),
            observed=max(0, resident(pid) - before),
            source="the tables of a NAT are bounded",
        )
        aggregate = output("ovs-ofctl", "-O", "OpenFlow13", "dump-aggregate", gateway.name)
        x.check(
            "rules in the switch after the storm",
            expected=at_most(MOST_RULES),
            observed=int(re.search(r"flow_count=(\d+)", aggregate)[1]),
            source="the tables of a NAT are bounded",
        )
        gateway.flush()
        time.sleep(1.0)  # a freed port rests half a second, and nothing tells when the last one is back
        counted_from_now(gateway, x.protocol)
        super().run(x)


def counted_from_now(gateway: Any, protocol: str) -> None:
    """Let the counters that only grow begin at zero: some frames of a storm are right, and make mappings."""
    counters, before = gateway.counters, gateway.counters(protocol)

    def since(protocol: str) -> dict[str, int | None]:
        now = counters(protocol)
        return {key: value - before[key] if GROWS.match(key) and value else value for key, value in now.items()}

    gateway.counters = since


def storm(x: Experiment[Any]) -> None:
    """Send the frames, from two inside hosts and an outside one in turn."""
    rng = random.Random(x.parameters.storm_seed)
    wiring = x.lab.topology.wiring["gateway"]
    inside = next(each for each in wiring if each.side.value == "inside").address.ip
    mac = bytes.fromhex(x.lab.topology.gateway_mac("gateway").replace(":", ""))
    hosts = [x.lab.clients[0], x.lab.clients[-1], x.lab.servers[0]]
    sockets = [raw_socket(host.netns) for host in hosts]
    known = [int(inside), *(int(each) for each in x.settings.external_addresses)]
    known += [int(address) for host in hosts for address in x.lab.topology.addresses[host.name]]
    known += [int(each.address.ip) for each in wiring]
    own = [bytes.fromhex(host.MAC().replace(":", "")) for host in hosts]
    first = min(x.settings.port_count, 64)
    for number in range(x.parameters.frames):
        which = number % len(sockets)
        with contextlib.suppress(OSError):  # of a frame that the host's own interface refuses
            sockets[which].send(frame(rng, mac, own[which], known, first))
        if number % PACE_EVERY == 0:
            x.progress(number, x.parameters.frames)
            time.sleep(PACE_S)
    for each in sockets:
        each.close()


def raw_socket(netns: str) -> socket.socket:
    """Return a socket that sends whole frames from a host."""
    with network_of(netns):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        made.bind(("eth0", 0))
    return made


def frame(rng: random.Random, gateway: bytes, own: bytes, known: list[int], ports: int) -> bytes:
    """Return a frame: of a kind that means something in most cases, with something wrong in many."""
    target = rng.choice((gateway, gateway, gateway, b"\xff" * 6, rng.randbytes(6)))
    source = rng.choice((own, own, own, gateway, rng.randbytes(6)))
    kind = rng.choice((0x0800,) * 8 + (0x0806,) * 3 + (rng.choice(ETHERTYPES),))
    body = arp(rng, known) if kind == 0x0806 else ipv4(rng, known, ports)
    if rng.random() < 0.05:
        body = body[: rng.randrange(len(body) + 1)]
    if rng.random() < 0.05 and body:
        at = rng.randrange(len(body))
        body = body[:at] + rng.randbytes(1) + body[at + 1 :]
    return (target + source + struct.pack("!H", kind) + body)[:1514].ljust(60, b"\0")


def address(rng: random.Random, known: list[int]) -> int:
    """Return an address: one of the network's in most cases."""
    roll = rng.random()
    if roll < 0.6:
        return rng.choice(known)
    if roll < 0.8:
        return (rng.choice(known) & 0xFFFFFF00) | rng.randrange(256)
    special = (0, 0xFFFFFFFF, 0x7F000001, 0xE0000001, 0xF0000001, 0x0A00FFFF, 0x0A000000, rng.getrandbits(32))
    return rng.choice(special)


def arp(rng: random.Random, known: list[int]) -> bytes:
    """Return an ARP message: request, reply or neither, about addresses of the network or others."""
    operation = rng.choice((1, 1, 2, 2, 2, rng.randrange(65536)))
    sender, target = address(rng, known), address(rng, known)
    header = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return header + rng.randbytes(6) + struct.pack("!I", sender) + rng.randbytes(6) + struct.pack("!I", target)


def ipv4(rng: random.Random, known: list[int], ports: int) -> bytes:
    """Return an IPv4 packet, whole or a fragment, of some protocol."""
    protocol = rng.choice(PROTOCOLS)
    payload = transport(rng, protocol, known, ports)
    options = rng.randbytes(4 * rng.choice((0,) * 12 + (1, 3, 10)))
    length = 20 + len(options) + len(payload)
    if rng.random() < 0.05:
        length = rng.randrange(65536)
    fragment = rng.choice((0,) * 10 + (0x4000, 0x2000, rng.randrange(0x4000), 0x2000 | rng.randrange(64)))
    ttl = rng.choice((64,) * 8 + (0, 1, 255))
    first = (0x45 + len(options) // 4) if rng.random() > 0.03 else rng.randrange(256)
    identification = rng.randrange(64)
    fields = [first, rng.choice((0, 0, 0xB8)), length, identification, fragment, ttl, protocol, 0]
    ends = (address(rng, known), address(rng, known))
    if rng.random() > 0.1:
        fields[-1] = checksum(struct.pack("!BBHHHBBHII", *fields, *ends) + options)
    return struct.pack("!BBHHHBBHII", *fields, *ends) + options + payload


def transport(rng: random.Random, protocol: int, known: list[int], ports: int) -> bytes:
    """Return what follows the IPv4 header: the checksum of TCP and UDP is as random as all else."""
    data = rng.randbytes(rng.choice((0, 8, 18, 100, 1000)))
    source, destination = rng.choice((1024 + rng.randrange(ports), rng.randrange(65536))), rng.randrange(65536)
    if rng.random() < 0.5:
        source, destination = destination, source
    if protocol == 17:
        length = 8 + len(data) if rng.random() > 0.1 else rng.randrange(65536)
        return struct.pack("!HHHH", source, destination, length, rng.choice((0, rng.randrange(65536)))) + data
    if protocol == 6:
        flags = rng.choice((0x02, 0x02, 0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x18, rng.randrange(256)))
        offset = rng.choice((0x50,) * 8 + (0x00, 0x40, 0xF0, 0x60))
        numbers = rng.getrandbits(32), rng.getrandbits(32)
        return struct.pack("!HHIIBBHHH", source, destination, *numbers, offset, flags, 1024, 0, 0) + data
    if protocol == 1:
        return icmp(rng, known, ports, data)
    return data


def icmp(rng: random.Random, known: list[int], ports: int, data: bytes) -> bytes:
    """Return an ICMP message: a query, an error with a quotation, or any other."""
    kind = rng.choice((8, 8, 0, 0, 3, 3, 11, 12, 13, 14, 17, 18, 4, 5, 40, rng.randrange(256)))
    code = rng.choice((0, 0, 1, 3, 4, 13))
    if kind in (3, 11, 12, 4, 5):
        inner = transport(rng, rng.choice((6, 17)), known, ports)[:28]
        ends = (address(rng, known), address(rng, known))
        header = [0x45, 0, 20 + len(inner), 7, 0, 60, rng.choice((1, 6, 17)), 0]
        header[-1] = checksum(struct.pack("!BBHHHBBHII", *header, *ends))
        data = struct.pack("!BBHHHBBHII", *header, *ends) + inner
    message = struct.pack("!BBHHH", kind, code, 0, 1024 + rng.randrange(ports), 1) + data
    right = checksum(message) if rng.random() > 0.1 else rng.randrange(65536)
    return message[:2] + struct.pack("!H", right) + message[4:]


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def resident(pid: int) -> int:
    """Return the resident memory of a process, in KiB."""
    assert os.path.exists(f"/proc/{pid}"), "the controller is gone"
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
