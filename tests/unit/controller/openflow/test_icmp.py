"""ICMP errors that pass the gateway: every byte as Scapy would have written it (RFC 5508 section 4)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Endpoint, Packet, Protocol
from controller.openflow.frames import Ipv4
from controller.openflow.icmp import IcmpError
from tests.support.packets import (
    ALICE,
    ETHERNET,
    EXTERNAL,
    KINDS,
    OPTIONS,
    SERVER,
    UDP_PACKET,
    about,
    corrupted,
    hostile_frames,
    packet,
    read,
)

GATEWAY = Endpoint.parse("192.0.2.254:0")


def read_error(frame: Layer | bytes) -> IcmpError:
    """Return the error as the controller reads it."""
    error = IcmpError.parse(read(frame))
    assert error is not None
    return error


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, bytes, list[object], list[object], int, int, bytes]:
    """Return a kind, data, the options of both headers, the error's type, how much it embeds, and padding."""
    kind, data = draw(st.sampled_from(sorted(KINDS))), draw(st.binary(max_size=40))
    options = st.sampled_from([[], OPTIONS])
    # Half a checksum (17 bytes of TCP) is a test of its own.
    embeds = draw(st.integers(8, 60).filter(lambda length: length != 17))
    icmp_type = draw(st.sampled_from([3, 11, 12]))
    return kind, data, draw(options), draw(options), icmp_type, embeds, draw(st.binary(max_size=8))


# Reading


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("icmp_type", [3, 11, 12])
@pytest.mark.parametrize("options", [[], OPTIONS], ids=["no options", "options"])
def test_the_embedded_packet_is_read_as_its_sender_wrote_it(
    kind: str, icmp_type: int, options: list[object]
) -> None:
    """RFC 5508 REQ-3B: wherever the options of either header push it; 8 bytes of its transport header will do."""
    source = Endpoint(EXTERNAL.address, 0) if kind == "echo reply" else EXTERNAL
    destination = Endpoint(SERVER.address, 0) if kind == "echo request" else SERVER
    embedded = bytes(packet(kind, source, destination, b"some data", options=options))[: 28 + len(options)]

    error = read_error(about(embedded, icmp_type=icmp_type, options=options))

    assert error.embedded == Packet(KINDS[kind], source, destination)


NOT_READ = {
    "echo request": ETHERNET / packet("echo request", EXTERNAL, SERVER, bytes(UDP_PACKET)),
    "source quench": about(UDP_PACKET, icmp_type=4),
    "redirect": about(UDP_PACKET, icmp_type=5),
    "not ICMP": ETHERNET / UDP_PACKET,
    "a fragment": about(UDP_PACKET, flags="MF"),
    "nothing embedded": about(b""),
    "half a header embedded": about(bytes(UDP_PACKET)[:19]),
    "seven bytes embedded": about(bytes(UDP_PACKET)[:27]),
    "seven bytes sent": about(IP(src="192.0.2.1", dst="198.51.100.1", len=27) / UDP()),
    "an error embedded": about(IP() / ICMP(type=11) / UDP_PACKET),
    "an information request embedded": about(IP() / ICMP(type=15)),
    "a later fragment embedded": about(IP(proto=17, frag=1) / Raw(bytes(16))),
    "GRE embedded": about(IP(proto=47) / Raw(bytes(16))),
    "IPv6 embedded": about(IP(version=6) / UDP() / Raw(bytes(16))),
    "a header of 16 bytes embedded": about(IP(ihl=4) / UDP() / Raw(bytes(16))),
}


@pytest.mark.parametrize("frame", NOT_READ.values(), ids=NOT_READ)
def test_what_is_no_error_about_a_translated_packet_is_not_read(frame: Layer) -> None:
    """Reading returns None, and raises nothing."""
    assert IcmpError.parse(read(frame)) is None


@pytest.mark.parametrize(
    "offset", [22, 34, 40, 42, 69], ids=["TTL", "type", "MTU", "embedded version", "last byte"]
)
def test_a_damaged_error_is_not_read(offset: int) -> None:
    """RFC 5508 REQ-3: silently dropped."""
    assert IcmpError.parse(read(corrupted(about(packet("UDP", EXTERNAL, SERVER, b"data!")), offset))) is None


@pytest.mark.parametrize("offset", [1, 8, 10, 15], ids=["TOS", "TTL", "checksum", "source"])
def test_an_error_about_a_damaged_header_is_not_read(offset: int) -> None:
    """RFC 5508 REQ-3A: silently dropped, although the error's own checksum is right."""
    assert IcmpError.parse(read(about(corrupted(UDP_PACKET, offset)))) is None


def test_an_error_about_a_first_fragment_is_read() -> None:
    """A first fragment has the ports."""
    error = read_error(about(packet("UDP", EXTERNAL, SERVER, bytes(16), flags="MF")))

    assert error.embedded == Packet(Protocol.UDP, EXTERNAL, SERVER)


# Translating


@given(case=cases())
def test_an_inbound_error_is_translated_as_if_it_had_been_about_the_internal_packet(
    case: tuple[str, bytes, list[object], list[object], int, int, bytes],
) -> None:
    """RFC 5508 REQ-4: the embedded source and its checksums are restored, type and code kept."""
    kind, data, outer, inner, icmp_type, embeds, padding = case

    def frame(source: Endpoint, destination: Endpoint) -> bytes:
        embedded = bytes(packet(kind, source, SERVER, data, options=inner))[: 20 + len(inner) + embeds]
        return bytes(about(embedded, GATEWAY, destination, icmp_type=icmp_type, options=outer)) + padding

    error = read_error(frame(EXTERNAL, EXTERNAL))

    assert error.translated(outer_destination=ALICE.address, embedded_source=ALICE) == frame(ALICE, ALICE)


@given(case=cases())
def test_an_outbound_error_is_translated_as_if_it_had_been_about_the_external_packet(
    case: tuple[str, bytes, list[object], list[object], int, int, bytes],
) -> None:
    """RFC 5508 REQ-5: the embedded destination is restored, and the sender is an external address."""
    kind, data, outer, inner, icmp_type, embeds, padding = case

    def frame(destination: Endpoint) -> bytes:
        embedded = bytes(packet(kind, SERVER, destination, data, options=inner))[: 20 + len(inner) + embeds]
        return bytes(about(embedded, destination, SERVER, icmp_type=icmp_type, options=outer)) + padding

    error = read_error(frame(ALICE))

    assert error.translated(outer_source=EXTERNAL.address, embedded_destination=EXTERNAL) == frame(EXTERNAL)


@pytest.mark.parametrize("kind", ["TCP", "UDP", "UDP without checksum"])
def test_a_hairpinned_error_is_translated_at_both_ends(kind: str) -> None:
    """RFC 5508 REQ-7: between two inside hosts, each of whom knows the other by an external endpoint."""
    bob, bob_outside = Endpoint.parse("10.0.0.2:50000"), Endpoint.parse("192.0.2.1:1025")
    error = read_error(about(packet(kind, EXTERNAL, bob), bob, EXTERNAL))

    translated = error.translated(
        outer_source=bob_outside.address,
        outer_destination=ALICE.address,
        embedded_source=ALICE,
        embedded_destination=bob_outside,
    )

    assert translated == bytes(about(packet(kind, ALICE, bob_outside), bob_outside, ALICE))


@given(case=cases())
def test_a_translation_to_the_same_changes_nothing(
    case: tuple[str, bytes, list[object], list[object], int, int, bytes],
) -> None:
    """A field that is not named stays as it is."""
    kind, data, outer, inner, icmp_type, embeds, padding = case
    embedded = bytes(packet(kind, EXTERNAL, SERVER, data, options=inner))[: 20 + len(inner) + embeds]
    frame = bytes(about(embedded, icmp_type=icmp_type, options=outer)) + padding

    assert read_error(frame).translated() == frame


@given(
    kind=st.sampled_from(["TCP", "UDP", "echo request"]),
    off=st.integers(0, 0xFFFE),
    port=st.integers(0, 65535),
    host=st.integers(0, 2**32 - 1),
)
def test_a_wrong_embedded_checksum_stays_as_wrong_as_it_was(kind: str, off: int, port: int, host: int) -> None:
    """RFC 5508 REQ-3C does not look at it; RFC 1624 keeps its distance from the right one."""
    at = 20 + {"TCP": 16, "UDP": 6, "echo request": 2}[kind]

    def written(source: Endpoint) -> tuple[bytes, int]:
        data = bytes(packet(kind, source, SERVER, b"data"))
        return data, int.from_bytes(data[at : at + 2], "big")

    sent, right = written(EXTERNAL)
    wrong = (right + off) % 0xFFFF or 0xFFFF  # 0 would be no checksum
    internal = Endpoint(host, port)
    error = read_error(about(sent[:at] + wrong.to_bytes(2, "big") + sent[at + 2 :]))

    frame = error.translated(embedded_source=internal)

    now = int.from_bytes(frame[42 + at : 44 + at], "big")
    assert (now - written(internal)[1]) % 0xFFFF == off
    assert kind != "UDP" or now != 0


@pytest.mark.parametrize(("kind", "at", "zero"), [("TCP", 36, "0000"), ("UDP", 26, "ffff")], ids=["TCP", "UDP"])
def test_a_checksum_that_comes_to_zero_is_written_as_the_protocol_wants_it(kind: str, at: int, zero: str) -> None:
    """RFC 768: a zero would say that the datagram has no checksum; TCP knows no such thing."""
    without_port = bytes(packet(kind, Endpoint(ALICE.address, 0), SERVER))
    alice = Endpoint(ALICE.address, int.from_bytes(without_port[at : at + 2], "big"))

    frame = read_error(about(packet(kind, EXTERNAL, SERVER))).translated(embedded_source=alice)

    assert frame[42 + at : 44 + at] == bytes.fromhex(zero)
    assert frame[42:] == bytes(packet(kind, alice, SERVER))


@pytest.mark.parametrize("embeds", [16, 17, 18])
def test_a_tcp_checksum_is_mended_only_where_all_of_it_is_embedded(embeds: int) -> None:
    """Half a checksum means nothing: it stays."""
    sent, expected = bytes(packet("TCP", EXTERNAL, SERVER)), bytes(packet("TCP", ALICE, SERVER))

    frame = read_error(about(sent[: 20 + embeds])).translated(embedded_source=ALICE)

    there = sent if embeds == 17 else expected
    assert frame[42:] == expected[:36] + there[36 : 20 + embeds]


def test_extensions_behind_the_embedded_packet_stay_as_they_are() -> None:
    """RFC 5508 REQ-3D: an RFC 4884 extension is no part of the packet, but of the error's checksum."""
    extension = bytes.fromhex("2000 dfff 0004 0101")

    def frame(source: Endpoint) -> bytes:
        return bytes(about(bytes(packet("TCP", source, SERVER, bytes(100)))[:128] + extension))

    assert read_error(frame(EXTERNAL)).translated(embedded_source=ALICE) == frame(ALICE)


def test_what_lies_behind_a_short_embedded_packet_is_not_taken_for_its_checksum() -> None:
    """The embedded total length says where the packet ends."""
    stump = bytes(IP(src="192.0.2.1", dst="198.51.100.1", proto=6) / Raw(bytes.fromhex("0400000700000005")))
    behind = bytes.fromhex("2000dfff0004010100000000")

    assert read_error(about(stump + behind)).translated(embedded_source=ALICE)[-len(behind) :] == behind


# Whatever comes


@settings(max_examples=300)
@given(frame=hostile_frames())
def test_hostile_frames_are_translated_as_asked_or_not_read(frame: bytes) -> None:
    """No bytes raise an exception, and what is written is read as what was asked for."""
    ip = Ipv4.parse(frame)
    error = ip and IcmpError.parse(ip)
    if not error:
        return

    translated = error.translated(
        outer_source=0,
        outer_destination=1,
        embedded_source=Endpoint(0xFFFFFFFF, error.embedded.source.port),
        embedded_destination=Endpoint(0, 0),
    )

    again = read_error(translated)
    assert len(translated) == len(frame)
    assert (again.outer.source, again.outer.destination) == (0, 1)
    assert (again.embedded.source.address, again.embedded.destination) == (0xFFFFFFFF, 0)
