"""What the witnesses see, and how they date it."""

from __future__ import annotations

import ctypes
import itertools
import socket
import struct
from ipaddress import IPv4Address, IPv4Network
from unittest import mock

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from testbed.evidence import witnesses


@pytest.mark.parametrize("undisturbed", range(witnesses.CLOCK_READINGS))
@pytest.mark.parametrize("where", [0, 1], ids=["before the epoch's clock", "after it"])
def test_an_interruption_between_two_clocks_dates_nothing_wrongly(undisturbed: int, where: int) -> None:
    """Each reading but one is interrupted for 3 ms; that one tells by how much the clocks are apart."""
    elapsed, ahead, readings = 0.0, 1_000_000.0, itertools.count()

    def passes(step: int) -> float:
        """Let a microsecond pass, and the interruption before a step of a reading."""
        nonlocal elapsed
        reading = next(readings) // 3
        elapsed += 1e-6 + (0.003 if step == where and reading != undisturbed else 0.0)
        return elapsed

    ends = itertools.cycle([2, 1])  # of `monotonic`: at the beginning of a reading, and at its end
    with mock.patch.object(witnesses, "time") as clocks:
        clocks.monotonic = lambda: passes(next(ends))
        clocks.time = lambda: ahead + passes(0)

        assert witnesses._since_epoch() == pytest.approx(ahead, abs=1e-5)


@pytest.mark.parametrize("but_to", [[], ["198.51.100.0/24"], ["198.51.100.0/24", "203.0.113.7/32"]])
def test_the_kernel_counts_untranslated_packets_but_those_that_may_leave(but_to: list[str]) -> None:
    """By source and destination exactly; the filter is the kernel's own, on a pair of sockets."""
    inside = [IPv4Network("10.0.0.0/16"), IPv4Network("10.2.0.0/16")]
    exempt = [IPv4Network(network) for network in but_to]
    sources = ["10.0.0.1", "10.1.255.255", "10.2.0.1", "192.0.2.1"]
    targets = ["198.51.100.1", "198.51.101.1", "203.0.113.7", "203.0.113.8", "10.0.0.9"]
    program = witnesses._from(inside, but_to=exempt)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.setsockopt(
            socket.SOL_SOCKET, 26, struct.pack("HL", len(program), ctypes.addressof(code))
        )  # SO_ATTACH_FILTER
        for source, target in itertools.product(sources, targets):
            with_filter = bytes(Ether() / IP(src=source, dst=target) / UDP())
            try:
                ours.send(with_filter)
            except PermissionError:
                continue  # what the filter drops
        theirs.setblocking(False)
        seen = set()
        while True:
            try:
                packet = Ether(theirs.recv(2048))
            except BlockingIOError:
                break
            seen.add((packet[IP].src, packet[IP].dst))

    assert seen == {
        (source, target)
        for source, target in itertools.product(sources, targets)
        if any(IPv4Address(source) in network for network in inside)
        and not any(IPv4Address(target) in network for network in exempt)
    }
