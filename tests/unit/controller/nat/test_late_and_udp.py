"""Late segments that are answered by a reset, and UDP that shares its ports less than TCP."""

from __future__ import annotations

from typing import Any

import pytest

from controller.nat.model import Answer, Dependence, Endpoint, Limit, Side, TcpFlags
from controller.nat.verdicts import Drop, Refuse
from controller.settings import ConfigurationError, Settings, checked
from tests.support.core import ACK, ALICE, BOB, FIN, MIRROR, RST, SERVER, SYN, TCP, UDP, Bench

EXTERNAL = Endpoint.parse("192.0.2.1:1024")
PER_ENDPOINT = {
    "mapping": Dependence.ADDRESS_AND_PORT,
    "filtering": Dependence.ADDRESS_AND_PORT,
    "overlapping": Dependence.ADDRESS_AND_PORT,
}
BESIDE = Endpoint(SERVER.address, 8)


@pytest.mark.parametrize(
    ("sides", "inside", "outside"),
    [
        (frozenset(), Answer.NOTHING, Answer.NOTHING),
        (frozenset({Side.INSIDE}), Answer.RESET, Answer.NOTHING),
        (frozenset(Side), Answer.RESET, Answer.RESET),
    ],
    ids=["off", "inside", "both"],
)
@pytest.mark.parametrize("flags", [ACK, FIN | ACK, TcpFlags.NONE, SYN | ACK])
def test_a_segment_of_no_connection_is_answered_on_the_sides_that_are_set(
    sides: frozenset[Side], inside: Answer, outside: Answer, flags: TcpFlags
) -> None:
    """Whatever its flags are, and whether its port has no mapping or keeps it out."""
    bench = Bench(late_reset=sides, **PER_ENDPOINT)
    mapped = bench.open(BOB, MIRROR).external

    verdicts = bench.outbound(TCP, ALICE, SERVER, flags), bench.inbound(TCP, SERVER, EXTERNAL, flags)
    filtered = bench.inbound(TCP, SERVER, mapped, flags)

    assert all(isinstance(verdict, Drop) for verdict in (*verdicts, filtered))
    assert [getattr(verdict, "answer", None) for verdict in verdicts] == [inside, outside]
    assert getattr(filtered, "answer", None) is outside


def test_neither_a_reset_nor_a_syn_nor_a_datagram_is_answered_by_a_reset() -> None:
    """RFC 9293: no RST answers a RST. What a SYN gets is another question."""
    bench = Bench(late_reset=frozenset(Side), **PER_ENDPOINT)

    verdicts = [
        bench.outbound(TCP, ALICE, SERVER, RST),
        bench.inbound(TCP, SERVER, EXTERNAL, RST | ACK),
        bench.inbound(TCP, SERVER, EXTERNAL, SYN),
        bench.inbound(UDP, SERVER, EXTERNAL),
    ]

    assert [getattr(verdict, "answer", None) for verdict in verdicts] == [Answer.NOTHING] * 4


def test_udp_shares_a_port_toward_other_addresses_only_and_tcp_toward_other_ports_as_well() -> None:
    """The mapping of UDP still depends on the port: a second service of a host takes a second port."""
    bench = Bench(ports=1, overlapping_udp=Dependence.ADDRESS, **PER_ENDPOINT)
    for to in (SERVER, BESIDE, MIRROR):
        bench.open(ALICE, to, TCP)
    bench.open(ALICE, SERVER, UDP)
    bench.open(ALICE, MIRROR, UDP)

    assert bench.outbound(UDP, ALICE, BESIDE) == Refuse(Limit.PORTS, Answer.NOTHING)
    assert {mapping.external for mapping in bench.nat.mappings()} == {EXTERNAL}


def test_udp_that_shares_nothing_has_one_mapping_for_each_port() -> None:
    """Toward whatever address."""
    bench = Bench(ports=1, overlapping_udp=Dependence.INDEPENDENT, **PER_ENDPOINT)
    bench.open(ALICE, SERVER, UDP)

    assert bench.outbound(UDP, ALICE, MIRROR) == Refuse(Limit.PORTS, Answer.NOTHING)


@pytest.mark.parametrize(
    "settings",
    [
        {"port_overlapping_udp": "address"},
        {"port_overlapping_udp": "off"},
        {
            "port_overlapping_udp": "address",
            "port_overlapping": "address",
            "mapping_type": "edm",
            "filtering_type": "edf",
        },
    ],
)
def test_an_exception_that_is_none_is_refused(settings: dict[str, Any]) -> None:
    """It is for UDP that shares less than TCP."""
    with pytest.raises(ConfigurationError, match="take port_overlapping_udp=null"):
        checked(Settings, settings, kind="setting")
