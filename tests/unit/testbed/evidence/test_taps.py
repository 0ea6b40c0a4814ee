"""The kernel's filters of taps: which packets they choose, tried in this machine's kernel on a pair of sockets."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from testbed.evidence.taps import Program, _random_part, carrying, sampling
from testbed.traffic.wire import ANSWER, HELLO

NONCE = 77
OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]


def passes(program: Program, frame: bytes) -> bool:
    """Return whether the kernel passes a frame by a program."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", len(program), ctypes.addressof(code)))
        theirs.setblocking(False)
        try:
            ours.send(frame)
            return bool(theirs.recv(4096))
        except (PermissionError, BlockingIOError):
            return False


def hello(layer: Any, token: int, *, nonce: int = NONCE, answer: bool = False, **ip: Any) -> bytes:
    """Return a hello, or the answer to one, over some protocol."""
    data = ANSWER.pack(nonce, token, bytes(4), 1024) if answer else HELLO.pack(nonce, token)
    return bytes(Ether() / IP(src="10.0.0.1", dst="198.51.100.1", **ip) / layer / Raw(data))


LAYERS = {
    "tcp": TCP(flags="PA"),
    "tcp with options": TCP(flags="PA", options=OPTIONS),
    "udp": UDP(dport=7),
    "echo": ICMP(),
    "reply": ICMP(type=0),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("answer", [False, True], ids=["hello", "answer"])
@pytest.mark.parametrize("token", [0, 1, 2, 3, 4, 8, 12])
@pytest.mark.parametrize("halvings", [0, 2])
def test_a_share_of_hellos_and_answers_is_chosen_by_the_token(
    layer: Any, answer: bool, token: int, halvings: int
) -> None:
    """The same at both ends, whatever a NAT has rewritten; and as this process chooses. Either may be constant."""
    frame = hello(layer, token ^ 5, nonce=5, answer=answer)
    expected = token % (1 << halvings) == 0

    assert passes(sampling(halvings), frame) == expected
    assert (_random_part(frame) % (1 << halvings) == 0) == expected


@pytest.mark.parametrize("number", [0, 1, 4, 7, 0xFFFFFFFC])
@pytest.mark.parametrize(
    "flags", [{"flags": "S", "seq": 0}, {"flags": "SA", "seq": 9, "ack": 1}], ids=["SYN", "SYN and ACK"]
)
def test_a_share_of_syns_is_chosen_by_the_client_s_number(number: int, flags: dict[str, Any]) -> None:
    """Both SYNs of one connection are chosen, or neither."""
    field = "ack" if "ack" in flags else "seq"
    layer = TCP(**{**flags, field: (number + flags[field]) % (1 << 32)}, options=OPTIONS)
    frame = bytes(Ether() / IP(src="10.0.0.1", dst="198.51.100.1") / layer)

    assert passes(sampling(2), frame) == (number % 4 == 0)
    assert (_random_part(frame) % 4 == 0) == (number % 4 == 0)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_the_packets_of_one_client_are_chosen_by_its_nonce(layer: Any) -> None:
    """A train has nonce and token of the flow that it goes over. If one of both is damaged, the other tells."""
    program, either = carrying((4, NONCE)), carrying((4, NONCE), (12, 5))

    assert passes(either, hello(layer, 5, nonce=NONCE + 1))
    assert passes(either, hello(layer, 6))
    assert not passes(either, hello(layer, 6, nonce=NONCE + 1))

    assert passes(program, hello(layer, 5))
    assert passes(program, hello(layer, 5, answer=True))
    assert not passes(program, hello(layer, 5, nonce=NONCE + 1))


@pytest.mark.parametrize(
    "frame",
    [
        hello(UDP(dport=7), NONCE, flags="MF"),
        hello(UDP(dport=7), NONCE, frag=3),
        hello(ICMP(type=3, code=13), NONCE),
        bytes(Ether() / IP(src="10.0.0.1", dst="198.51.100.1") / TCP(flags="A")),
        bytes(Ether() / IP(src="10.0.0.1", dst="198.51.100.1") / TCP(flags="R")),
        bytes(Ether() / IP(src="10.0.0.1", dst="198.51.100.1") / UDP() / Raw(b"short")),
        bytes(Ether() / IP(src="10.0.0.1", dst="198.51.100.1", proto=47) / Raw(bytes(64))),
        bytes(Ether() / ARP()),
    ],
    ids=["first fragment", "fragment", "ICMP error", "ACK", "RST", "short", "other protocol", "ARP"],
)
def test_nothing_else_is_chosen(frame: bytes) -> None:
    """What gateways send by themselves, or may take apart, is not to be matched."""
    assert not passes(sampling(0), frame)
