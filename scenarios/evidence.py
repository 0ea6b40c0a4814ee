"""What became of each attempt, decided from both ends and the wire, never from a log line.

Each attempt counts once, by its final state; where several would do, the first of `OUTCOMES` does.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from scenarios.sandbox.linux import CLONE_NEWNET, enter_namespace
from scenarios.traffic.drive import Attempt, Sighting

OUTCOMES = ("leaked", "shared", "evicted", "held", "established", "timeout", "icmp", "reset")
"""Every outcome, the gravest first."""

Endpoint = tuple[str, int]

_SO_ATTACH_FILTER = 26
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_ETH_P_ALL = 0x0003
_SNAP = 64


class LeakWitness:
    """Counts frames with an inside source address that arrive at an outside host.

    The kernel counts every frame that passes its packet filter, whether or not we read it; so the number is
    right at any rate. The frames that we do read tell whose they are.
    """

    def __init__(self, host_pid: int, interface: str, inside: Collection[ipaddress.IPv4Network]) -> None:
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        theirs = os.open(f"/proc/{host_pid}/ns/net", os.O_RDONLY)
        try:
            enter_namespace(theirs, CLONE_NEWNET)
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
            _filter_sources(self._socket, inside)
            self._socket.bind((interface, _ETH_P_ALL))
        finally:
            enter_namespace(own, CLONE_NEWNET)
            os.close(own)
            os.close(theirs)
        self.frames = 0
        self.sources: set[Endpoint] = set()

    def look(self) -> None:
        """Take in what has arrived so far."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)  # reading resets it
        self.frames += struct.unpack("II", statistics)[0]
        while True:
            try:
                frame = self._socket.recv(_SNAP)
            except BlockingIOError:
                return
            transport = 14 + (frame[14] & 0x0F) * 4
            port = int.from_bytes(frame[transport : transport + 2], "big")
            self.sources.add((socket.inet_ntoa(frame[26:30]), port))


def _filter_sources(packet_socket: socket.socket, networks: Collection[ipaddress.IPv4Network]) -> None:
    """Let only IPv4 frames from these networks pass (a classic BPF program, as tcpdump would make it)."""
    load_half, load_word, mask, equal, give = 0x28, 0x20, 0x54, 0x15, 0x06
    program = [(load_half, 0, 0, 12), (equal, 0, 4 * len(networks), 0x0800)]
    for network in networks:
        program += [
            (load_word, 0, 0, 26),
            (mask, 0, 0, int(network.netmask)),
            (equal, 0, 1, int(network.network_address)),
            (give, 0, 0, _SNAP),
        ]
    program.append((give, 0, 0, 0))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    attachment = struct.pack("HL", len(program), ctypes.addressof(code))
    packet_socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attachment)


def shared(sightings: Iterable[Sighting]) -> set[int]:
    """Return the nonces of clients that used one external endpoint at the same time as another.

    All are toward one destination, where RFC 4787 REQ-3 and RFC 5382 REQ-7 forbid it. One client after the other
    is no sharing: the second must be seen before the first was seen for the last time.
    """
    users: dict[Endpoint, list[Sighting]] = defaultdict(list)
    for seen in sightings:
        users[seen.address, seen.port].append(seen)
    found: set[int] = set()
    for spans in users.values():
        spans.sort(key=lambda seen: seen.first)
        latest = spans[0]
        for seen in spans[1:]:
            if seen.first < latest.last:
                found |= {seen.nonce, latest.nonce}
            latest = max(seen, latest, key=lambda each: each.last)
    return found


def outcomes(
    attempts: Iterable[Attempt], *, shared: set[int], echoed: set[int], leaked: set[Endpoint]
) -> Counter[str]:
    """Count the attempts by their final outcome; `echoed` are the numbers that answered after all."""
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    for attempt in attempts:
        counts[_outcome(attempt, shared, echoed, leaked)] += 1
    return counts


def _outcome(attempt: Attempt, shared: set[int], echoed: set[int], leaked: set[Endpoint]) -> str:
    if attempt.source in leaked:
        return "leaked"
    if attempt.nonce in shared:
        return "shared"
    if attempt.outcome == "established" and attempt.number not in echoed:
        return "evicted"
    return attempt.outcome
