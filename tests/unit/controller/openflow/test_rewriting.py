"""Translating whole packets: what comes out is what Scapy would have written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.packet import Packet as Layer

from controller.nat.model import Endpoint
from controller.openflow.rewriting import translated
from tests.support.packets import ALICE, ETHERNET, EXTERNAL, KINDS, OPTIONS, SERVER, packet, read

endpoints = st.builds(Endpoint, st.integers(0, 2**32 - 1), st.integers(0, 65535))
TRANSPORTS = [kind for kind in KINDS if not kind.startswith("echo")]


@given(
    kind=st.sampled_from(TRANSPORTS),
    ends=st.tuples(*[endpoints] * 4),
    data=st.binary(max_size=9),
    options=st.sampled_from([[], OPTIONS]),
)
def test_both_endpoints_of_any_packet_can_be_others(
    kind: str, ends: tuple[Endpoint, ...], data: bytes, options: list[object]
) -> None:
    """Addresses, ports, the header's checksum and the transport's, and nothing else."""
    source, destination, other_source, other_destination = ends
    sent = read(ETHERNET / packet(kind, source, destination, data, options=options))

    frame = translated(sent, source=other_source, destination=other_destination)

    assert frame == bytes(ETHERNET / packet(kind, other_source, other_destination, data, options=options))


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_an_endpoint_that_is_not_named_stays(kind: str) -> None:
    """An outbound packet gets another source, an inbound one another destination."""
    sent = read(ETHERNET / packet(kind, ALICE, SERVER, b"odd"))
    received = read(ETHERNET / packet(kind, SERVER, EXTERNAL, b"odd"))

    assert translated(sent, source=EXTERNAL) == bytes(ETHERNET / packet(kind, EXTERNAL, SERVER, b"odd"))
    assert translated(received, destination=ALICE) == bytes(ETHERNET / packet(kind, SERVER, ALICE, b"odd"))


@given(
    identifier=st.integers(0, 65535),
    other=endpoints,
    data=st.binary(max_size=9),
    options=st.sampled_from([[], OPTIONS]),
)
def test_a_query_gets_another_identifier(
    identifier: int, other: Endpoint, data: bytes, options: list[object]
) -> None:
    """Its checksum covers no address (RFC 792)."""
    alice, server = Endpoint(ALICE.address, identifier), Endpoint(SERVER.address, 0)

    def query(kind: str, source: Endpoint, destination: Endpoint) -> Layer:
        return ETHERNET / packet(kind, source, destination, data, options=options)

    asked = translated(read(query("echo request", alice, server)), source=other)
    answered = translated(read(query("echo reply", server, alice)), destination=other)

    assert asked == bytes(query("echo request", other, server))
    assert answered == bytes(query("echo reply", server, other))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_padding_of_a_short_frame_is_no_part_of_the_packet(kind: str) -> None:
    """Ethernet frames have 60 bytes at least; a checksum over the padding would be wrong."""
    frame = bytes(ETHERNET / packet(kind, ALICE, SERVER))
    side = {"destination": EXTERNAL} if kind == "echo reply" else {"source": EXTERNAL}

    made = translated(read(frame + b"\xaa" * 20), **side)

    assert made == translated(read(frame), **side) + b"\xaa" * 20


def test_a_checksum_that_comes_to_zero_is_not_none() -> None:
    """RFC 768: a zero would say that the datagram has no checksum."""
    without_port = bytes(packet("UDP", Endpoint(ALICE.address, 0), SERVER))
    source = Endpoint(ALICE.address, int.from_bytes(without_port[26:28], "big"))

    frame = translated(read(ETHERNET / packet("UDP", EXTERNAL, SERVER)), source=source)

    assert frame[40:42] == b"\xff\xff"
    assert frame == bytes(ETHERNET / packet("UDP", source, SERVER))


@given(kind=st.sampled_from(sorted(KINDS)), off=st.integers(1, 0xFFFE), host=endpoints)
def test_a_wrong_checksum_stays_as_wrong_as_it_was(kind: str, off: int, host: Endpoint) -> None:
    """RFC 1624: a damaged packet is not mended on its way."""
    at = 34 + {"TCP": 16, "UDP": 6, "UDP without checksum": 6}.get(kind, 2)
    source, destination = (SERVER, ALICE) if kind == "echo reply" else (ALICE, SERVER)
    side = {"destination": host} if kind == "echo reply" else {"source": host}
    ends = (SERVER, host) if kind == "echo reply" else (host, SERVER)

    def written(data: bytes) -> int:
        return int.from_bytes(data[at : at + 2], "big")

    sent = bytearray(bytes(ETHERNET / packet(kind, source, destination, b"data")))
    wrong = (written(sent) + off) % 0xFFFF or 0xFFFF  # 0 would be no checksum
    sent[at : at + 2] = b"\0\0" if kind == "UDP without checksum" else wrong.to_bytes(2, "big")

    frame = translated(read(bytes(sent)), **side)

    right = written(bytes(ETHERNET / packet(kind, *ends, b"data")))
    if kind == "UDP without checksum":
        assert written(frame) == 0
    else:
        assert (written(frame) - right) % 0xFFFF == off
        assert kind != "UDP" or written(frame) != 0


@pytest.mark.parametrize("at", [20, 24, 36, 45], ids=["IP header", "IP checksum", "ICMP checksum", "ICMP data"])
@given(data=st.binary(min_size=8, max_size=40), host=endpoints)
def test_damage_is_never_mended(at: int, data: bytes, host: Endpoint) -> None:
    """RFC 1624: what a damaged query becomes is damaged, too."""
    frame = bytearray(bytes(ETHERNET / packet("echo request", ALICE, SERVER, data)))
    sound = read(bytes(frame))
    frame[at] ^= 0x10
    damaged = read(bytes(frame))

    assert sound.is_sound
    assert read(translated(sound, source=host)).is_sound
    assert not damaged.is_sound
    assert not read(translated(damaged, source=host)).is_sound
