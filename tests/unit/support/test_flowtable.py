"""The in-memory switch itself: what the other tests take for granted of it.

Each of these was also seen in Open vSwitch 3.1, whose outputs and rule counts equalled this table's for a
thousand random frames.
"""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from controller.openflow.rules import Act, CheckLarger, Output, Resubmit, Rule, SetField, Table
from tests.support.flowtable import AmbiguousError, BadRuleError, FlowTable

IPV4 = ("eth_type", 0x0800)
TCP_ONLY = (IPV4, ("ip_proto", 6))
ETHERNET = Ether(src="02:00:0a:00:00:01", dst="02:00:0a:00:ff:fe")  # without, Scapy would ask the network
FRAME = ETHERNET / IP(src="10.0.0.1", dst="198.51.100.1") / TCP(sport=5, dport=7, flags="S")


def table_of(*rules: Rule) -> FlowTable:
    """Return a table with these rules."""
    table = FlowTable()
    for rule in rules:
        table.install(rule)
    return table


def test_a_frame_without_a_rule_is_dropped() -> None:
    """OpenFlow 1.3.5 section 5.4: the default of a table miss."""
    outcome = FlowTable().run(bytes(FRAME), 1)

    assert (outcome.outputs, outcome.normal, outcome.packet_ins) == ([], [], [])


def test_the_highest_priority_wins_and_counts() -> None:
    """OpenFlow 1.3.5 section 5.3: one rule matches, and its counter goes up."""
    table = table_of(Rule(Table.ADMIT, 1, (), (Output(2),)), Rule(Table.ADMIT, 2, (IPV4,), (Output(3),)))

    assert [port for port, _ in table.run(bytes(FRAME), 1).outputs] == [3]
    assert [entry.packets for entry in table] == [0, 1]


def test_equal_priorities_that_differ_are_an_error() -> None:
    """OpenFlow leaves the choice open, so no rule of ours may depend on it."""
    table = table_of(Rule(Table.ADMIT, 1, (), (Output(2),)), Rule(Table.ADMIT, 1, (("in_port", 1),), (Output(3),)))

    with pytest.raises(AmbiguousError):
        table.run(bytes(FRAME), 1)


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        ((IPV4, ("ipv4_src", ("10.0.0.0", "255.255.0.0"))), True),
        ((IPV4, ("ipv4_src", ("10.1.0.0", "255.255.0.0"))), False),
        ((*TCP_ONLY, ("tcp_flags", (0x02, 0x12))), True),
        ((*TCP_ONLY, ("tcp_flags", (0x12, 0x12))), False),
        ((*TCP_ONLY, ("tcp_dst", 7)), True),
        ((IPV4, ("ip_proto", 17), ("udp_dst", 7)), False),
        ((("reg0", 0),), True),
        ((("reg0", 1),), False),
        ((("vlan_vid", (0x1000, 0x1000)),), False),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, tuple) else str(value),
)
def test_a_match_compares_under_its_mask(match: tuple[tuple[str, object], ...], hits: bool) -> None:
    """A field that the frame lacks never matches."""
    table = table_of(Rule(Table.ADMIT, 1, match, (Output(2),)))

    assert bool(table.run(bytes(FRAME), 1).outputs) == hits


@pytest.mark.parametrize(("flags", "offset"), [("MF", 0), (0, 100)], ids=["first", "last"])
def test_every_fragment_has_port_0(flags: str, offset: int) -> None:
    """Open vSwitch in its default fragment mode, the first fragment included (ovs-fields(7))."""
    fragment = ETHERNET / IP(src="10.0.0.1", dst="198.51.100.1", flags=flags, frag=offset) / UDP(sport=5, dport=7)
    table = table_of(
        Rule(Table.ADMIT, 2, (IPV4, ("ip_proto", 17), ("udp_src", 5)), (Output(2),)),
        Rule(Table.ADMIT, 1, (("eth_type_nxm", 0x0800), ("ip_frag", (1, 1))), (Output(3),)),
    )

    assert [port for port, _ in table.run(bytes(fragment), 1).outputs] == [3]


def test_no_frame_goes_back_by_the_port_it_came_from() -> None:
    """OpenFlow 1.3.5 section 4.5: that takes the reserved port IN_PORT."""
    table = table_of(Rule(Table.ADMIT, 1, (), (Output(1), Output(2))))

    assert [port for port, _ in table.run(bytes(FRAME), 1).outputs] == [2]


def test_a_frame_whose_port_is_forgotten_goes_back() -> None:
    """As Open vSwitch does it when the field in_port is set to 0; the controller then gets 0 as well."""
    actions = (Act.MAY_RETURN, Output(1), Act.TO_CONTROLLER)
    outcome = table_of(Rule(Table.ADMIT, 1, (), actions)).run(bytes(FRAME), 1)

    assert [port for port, _ in outcome.outputs] == [1]
    assert [packet_in.in_port for packet_in in outcome.packet_ins] == [0]


def test_a_resubmitted_frame_meets_an_earlier_table_and_comes_back() -> None:
    """As Open vSwitch does it: what that table rewrites stays, and the actions after it follow."""
    table = table_of(
        Rule(Table.ADMIT, 1, (), (), Table.FORWARD),
        Rule(Table.FORWARD, 1, (), (Resubmit(Table.INBOUND), Output(3))),
        Rule(Table.INBOUND, 1, TCP_ONLY, (SetField("tcp_dst", 8), Output(2))),
    )

    outputs = table.run(bytes(FRAME), 1).outputs

    assert [(port, Ether(frame)[TCP].dport) for port, frame in outputs] == [(2, 8), (3, 8)]


@pytest.mark.parametrize(("size", "goes_to"), [(1200, 2), (1201, 3)])
def test_a_frame_is_larger_than_what_is_allowed_or_it_is_not(size: int, goes_to: int) -> None:
    """The bytes of Ethernet do not count, and as many as are allowed are not too many."""
    table = table_of(
        Rule(Table.ADMIT, 1, (), (CheckLarger(1200),), Table.OUTBOUND),
        Rule(Table.OUTBOUND, 1, (("reg1", 0),), (Output(2),)),
        Rule(Table.OUTBOUND, 1, (("reg1", 1),), (Output(3),)),
    )

    outputs = table.run(bytes(ETHERNET / IP() / UDP() / bytes(size - 28)), 1).outputs

    assert [port for port, _ in outputs] == [goes_to]


def test_what_is_rewritten_is_what_the_next_table_meets() -> None:
    """Actions apply at once, in their order, and checksums follow."""
    table = table_of(
        Rule(Table.ADMIT, 1, TCP_ONLY, (SetField("tcp_src", 1024), Act.TO_CONTROLLER), Table.OUTBOUND),
        Rule(Table.OUTBOUND, 1, (*TCP_ONLY, ("tcp_src", 1024)), (SetField("ipv4_src", "192.0.2.1"), Output(2))),
    )

    outcome = table.run(bytes(FRAME), 1)

    ((_, sent),) = outcome.outputs
    assert sent == bytes(ETHERNET / IP(src="192.0.2.1", dst="198.51.100.1") / TCP(sport=1024, dport=7, flags="S"))
    assert Ether(outcome.packet_ins[0].frame)[IP].src == "10.0.0.1"


@pytest.mark.parametrize(("ttl", "leaves"), [(2, [1]), (1, []), (0, [])])
def test_a_ttl_that_runs_out_stops_the_packet(ttl: int, leaves: list[int]) -> None:
    """It is neither forwarded nor, unless asked for, told to the controller."""
    table = table_of(Rule(Table.ADMIT, 1, (IPV4,), (Act.DECREMENT_TTL, Output(2))))

    outputs = table.run(bytes(ETHERNET / IP(src="10.0.0.1", dst="198.51.100.1", ttl=ttl) / UDP()), 1).outputs

    assert [Ether(frame)[IP].ttl for _, frame in outputs] == leaves


def test_a_rule_is_replaced_by_one_with_its_match_and_keeps_its_count() -> None:
    """OpenFlow 1.3.5 section 6.4, without the flag RESET_COUNTS."""
    table = table_of(Rule(Table.ADMIT, 1, (), (Output(2),)))
    table.run(bytes(FRAME), 1)
    table.install(Rule(Table.ADMIT, 1, (), (Output(3),), cookie=9))

    assert [(entry.rule.cookie, entry.packets) for entry in table] == [(9, 1)]


@pytest.mark.parametrize(
    "rule",
    [
        Rule(Table.ADMIT, 1, (("ipv4_src", "10.0.0.1"),)),
        Rule(Table.ADMIT, 1, (IPV4, ("tcp_src", 5))),
        Rule(Table.ADMIT, 1, (("tcp_src", 5), *TCP_ONLY)),
        Rule(Table.ADMIT, 1, (IPV4, ("ipv4_src", ("10.0.0.1", "255.255.0.0")))),
        Rule(Table.INBOUND, 1, (), (), Table.OUTBOUND),
        Rule(Table.INBOUND, 1, (), (), Table.INBOUND),
    ],
    ids=["no eth_type", "no ip_proto", "wrong order", "bits outside the mask", "back", "in circles"],
)
def test_a_rule_that_no_switch_takes_is_refused(rule: Rule) -> None:
    """OpenFlow's errors BAD_PREREQ, BAD_WILDCARDS and BAD_TABLE_ID."""
    with pytest.raises(BadRuleError):
        FlowTable().install(rule)
