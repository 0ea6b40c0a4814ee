"""Core and rules agree on every packet: random traces through the pipeline, judged by the behaviour's own words.

For all nine pairs of mapping and filtering, with overlapping ports where they are allowed, and with and without a
limit of sessions. A trace has packets of all protocols from several inside hosts and from several outside
endpoints, ends of connections, silence, and reconnects of the switch.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.openflow.rules import SetField, Table
from tests.support.behaviour import RANKS, Behaviour, Endpoint, Mapping, part
from tests.support.flowtable import FlowTable, with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network

PORTS = 4
CLOSING, RESET, REST = 1.0, 1.0, 0.5
TIMERS = {
    "udp_timeout": 1000,
    "icmp_timeout": 1000,
    "tcp_idle_timeout": 2000,
    "tcp_trans_open_timeout": 1000,
    "tcp_trans_close_timeout": CLOSING,
    "tcp_rst_timeout": RESET,
    "hold_down_timeout": 0,
}
LOOKS, LOOK_EVERY = 7, 900.0
"""Silence: much longer than any timeout."""

INSIDE = [("alice", 40000), ("alice", 40001), ("bob", 40000), ("bob", 7)]
OUTSIDE = [
    (name, f"{network}.{number}", port)
    for name, network in (("server", "198.51.100"), ("mirror", "203.0.113"))
    for number in (1, 2)
    for port in (7, 8)
]
BEHAVIOURS = [
    (mapping, filtering, overlapping)
    for mapping in ("eim", "adm", "edm")
    for filtering in ("eif", "adf", "edf")
    for overlapping in ("off", "address", "endpoint")
    if RANKS[overlapping] <= min(RANKS[mapping], RANKS[filtering])
]


@dataclass(frozen=True)
class Outbound:
    """A packet from inside."""

    protocol: str
    inside: int
    outside: int
    flags: str


@dataclass(frozen=True)
class Inbound:
    """A packet from outside, to the external endpoint of a mapping (by its place), or to any port."""

    protocol: str
    outside: int
    mapping: int | None
    port: int
    flags: str


@dataclass(frozen=True)
class End:
    """The end of a connection (by its place): both FINs, or a RST from inside."""

    connection: int
    flags: str


@dataclass(frozen=True)
class Silence:
    """Nothing passes for longer than any timeout, but in one session (by its place), if any."""

    but: int | None


Step = Outbound | Inbound | End | Silence | str

protocols = st.sampled_from(["tcp", "udp", "tcp", "udp", "icmp"])
flags = st.sampled_from(["S", "S", "S", "A", "PA", "SA"])
places = st.integers(0, 15)
STEPS: dict[str, st.SearchStrategy[Step]] = {
    "outbound": st.builds(Outbound, protocols, st.integers(0, 3), st.integers(0, 7), flags),
    "inbound": st.builds(
        Inbound,
        protocols,
        st.integers(0, 7),
        st.sampled_from([*range(16), None, None]),
        st.integers(1023, 1024 + PORTS),
        flags,
    ),
    "end": st.builds(End, places, st.sampled_from(["FA", "FA", "R"])),
    "silence": st.builds(Silence, st.sampled_from([None, *range(5)])),
    "other": st.sampled_from(["a moment", "a moment", "reconnect", "restart"]),
}
WEIGHTS = {"outbound": 8, "inbound": 7, "end": 2, "silence": 1, "other": 2}
kinds = st.sampled_from([kind for kind, weight in WEIGHTS.items() for _ in range(weight)])


class Trial:
    """A gateway, and beside it what it ought to do."""

    def __init__(self, mapping: str, filtering: str, overlapping: str, limit_sessions: int | None) -> None:
        self.network = Network(
            ports=PORTS,
            mapping_type=mapping,
            filtering_type=filtering,
            port_overlapping=overlapping,
            limit_sessions=limit_sessions,
            **TIMERS,
        )
        self.behaviour = Behaviour(
            RANKS[mapping], RANKS[filtering], RANKS[overlapping], limit_sessions, PORTS, REST
        )
        self._number = 0

    def happen(self, step: Step) -> None:
        """Let something happen."""
        match step:
            case Outbound(protocol, inside, outside, flags):
                self.send_out(protocol, inside, OUTSIDE[outside], flags)
            case Inbound(protocol, outside, place, port, flags):
                known = [each.external for each in self.behaviour.mappings if each.protocol == protocol]
                to = known[place % len(known)] if known and place is not None else (EXTERNAL, port)
                self.send_in(protocol, OUTSIDE[outside], to, flags)
            case End(place, flags):
                self.end(place, flags)
            case Silence(place):
                self.be_silent(place)
            case "a moment":
                self.network.tick(0.25)
            case "restart":
                self.network.table = FlowTable()
                self.network.connect()
            case _:
                self.network.connect()

    # Packets

    def send_out(self, protocol: str, inside: int, outside: tuple[str, str, int], flags: str = "A") -> None:
        """Let an inside host send, and judge what came of it."""
        behaviour, (name, port), (server, address, remote_port) = self.behaviour, INSIDE[inside], outside
        host = self.network.hosts[name]
        internal, remote = (host.address, port), _remote(protocol, address, remote_port)
        is_syn = protocol == "tcp" and flags == "S"
        mapping = behaviour.outbound(protocol, internal, remote)
        is_known = mapping is not None
        if mapping is not None and mapping.sessions[part(remote, behaviour.told_apart(protocol))].is_strangers:
            flags = "SA" if flags in ("A", "PA") else flags  # so an inside host begins to answer
        may_open = is_known or ((protocol != "tcp" or is_syn) and behaviour.has_session_left())
        mapping = mapping or behaviour.mapping_for(protocol, internal, remote)
        free = behaviour.free_ports(protocol, remote, self.network.now)
        frame = _frame(self.network, host, protocol, internal, remote, flags, self._payload(), is_query=True)

        arrivals = self._pass(name, frame, Table.OUTBOUND, expects_packet_in=not is_known or is_syn)

        if not may_open or (mapping is None and not free):
            assert arrivals == []
            return
        (arrival,) = arrivals
        _, source, destination = _ends(arrival, protocol, is_query=True)
        if mapping is None:
            assert source[0] == EXTERNAL
            assert source[1] in free
            mapping = Mapping(protocol, internal, remote, source)
            behaviour.add(mapping)
        if flags != "R":
            behaviour.join(mapping, remote, is_from_inside=True)
        assert (arrival.host, source, destination) == (server, mapping.external, remote)
        self._check_contents(arrival)

    def send_in(self, protocol: str, outside: tuple[str, str, int], external: Endpoint, flags: str = "A") -> None:
        """Let an outside host send to an external endpoint, and judge what came of it."""
        behaviour, (name, address, port) = self.behaviour, outside
        remote = _remote(protocol, address, port)
        is_syn = protocol == "tcp" and flags == "S"
        mapping = behaviour.behind(protocol, external, remote)
        is_known = mapping is not None and part(remote, behaviour.told_apart(protocol)) in mapping.sessions
        may_open = protocol != "tcp" or is_syn
        passes = is_known or (
            mapping is not None
            and behaviour.lets_in(mapping, remote)
            and may_open
            and behaviour.has_session_left()
        )
        frame = _frame(
            self.network,
            self.network.hosts[name],
            protocol,
            remote,
            external,
            flags,
            self._payload(),
            is_query=False,
        )

        arrivals = self._pass(name, frame, Table.INBOUND, expects_packet_in=not is_known or is_syn)

        if not passes:
            assert arrivals == []
            return
        assert mapping is not None
        (arrival,) = arrivals
        behaviour.join(mapping, remote, is_from_inside=False)
        host = next(host.name for host in self.network.hosts.values() if host.address == mapping.internal[0])
        assert _ends(arrival, protocol, is_query=False) == (host, remote, mapping.internal)
        self._check_contents(arrival)

    def _pass(self, name: str, frame: Layer, table: Table, *, expects_packet_in: bool) -> list[Arrival]:
        """Send a frame, and check that the controller sees it if it has to decide, and once at most."""
        seen = len(self.network.packet_ins)
        arrivals = [arrival for arrival in self.network.send(name, frame) if IP in arrival.packet]
        tables = [
            each.table
            for each in self.network.packet_ins[seen:]
            if each.table is not Table.FORWARD and ARP not in Ether(each.frame)
        ]
        is_answer = table is Table.OUTBOUND and TCP in frame and frame[TCP].flags == "SA"
        copies = [Table.CLASSIFY] if is_answer or (TCP in frame and frame[TCP].flags & "FR") else []
        decides = expects_packet_in or ICMP in frame
        assert tables == copies + [table] * decides
        return arrivals

    def _payload(self) -> bytes:
        self._number += 1
        return self._number.to_bytes(3, "big")

    def _check_contents(self, arrival: Arrival) -> None:
        assert bytes(arrival.packet[Raw]) == self._number.to_bytes(3, "big")
        assert arrival.packet[IP].ttl == 63
        assert bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)

    # Ends

    def end(self, place: int, flags: str) -> None:
        """Let a connection close, or be reset; and its timer run out."""
        behaviour = self.behaviour
        connections = [
            (mapping, remote)
            for mapping in behaviour.mappings
            for remote, session in mapping.sessions.items()
            if mapping.protocol == "tcp" and session.is_outbound and isinstance(remote, tuple)
        ]
        if not connections:
            return
        mapping, remote = connections[place % len(connections)]
        inside, outside = _places(self.network, mapping, remote)
        self.send_out("tcp", inside, outside, flags)
        if flags == "FA":
            self.send_in("tcp", outside, mapping.external, flags)
            self.network.tick(CLOSING)
            behaviour.closed(mapping, remote, self.network.now)
        else:
            for _ in range(9):  # it is looked at four times within its timeout, and its port rests
                self.network.tick(RESET / 4)
            behaviour.closed(mapping, remote, self.network.now - REST)

    def be_silent(self, place: int | None) -> None:
        """Let all be idle until it ends, but perhaps one session that is used in both directions."""
        in_use = [
            (mapping, peer)
            for mapping in self.behaviour.mappings
            for peer, session in mapping.sessions.items()
            if session.is_outbound
        ]
        kept = in_use[place % len(in_use)] if in_use and place is not None else None
        remote = None
        for _ in range(LOOKS):
            self.network.tick(LOOK_EVERY)
            if kept is not None:
                mapping, peer = kept
                remote = _somebody(mapping, peer)
                inside, outside = _places(self.network, mapping, remote)
                self.send_out(mapping.protocol, inside, outside)
                self.send_in(mapping.protocol, outside, mapping.external)
        self.behaviour.all_idle(None if kept is None or remote is None else (kept[0], remote))

    # Rules

    def check_rules(self) -> None:
        """The switch holds what serves the live sessions, and no more; and the controller missed none."""
        held = {
            (rule.table, frozenset(rule.match), _rewrites(rule.actions)) for rule in self.network.mapping_rules()
        }
        assert held == self.behaviour.rules()
        assert self.network.router.packet_ins_known_mappings == 0


def _remote(protocol: str, address: str, port: int) -> Endpoint:
    return address, 0 if protocol == "icmp" else port


def _somebody(mapping: Mapping, peer: object) -> Endpoint:
    """Return a remote endpoint whose packets belong to a session."""
    if isinstance(peer, tuple):
        return peer
    return mapping.first_remote if peer is None else (str(peer), 0 if mapping.protocol == "icmp" else 8)


def _places(network: Network, mapping: Mapping, remote: Endpoint) -> tuple[int, tuple[str, str, int]]:
    name = next(host.name for host in network.hosts.values() if host.address == mapping.internal[0])
    outside = next(each for each in OUTSIDE if each[1] == remote[0] and remote[1] in (0, each[2]))
    return INSIDE.index((name, mapping.internal[1])), outside


def _rewrites(actions: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(action.value for action in actions if isinstance(action, SetField))


def _frame(
    network: Network,
    sender: Host,
    protocol: str,
    source: Endpoint,
    destination: Endpoint,
    flags: str,
    payload: bytes,
    *,
    is_query: bool,
) -> Layer:
    match protocol:
        case "tcp":
            transport = TCP(sport=source[1], dport=destination[1], flags=flags)
        case "udp":
            transport = UDP(sport=source[1], dport=destination[1])
        case _:
            transport = ICMP(type=8, id=source[1]) if is_query else ICMP(type=0, id=destination[1])
    header = IP(src=source[0], dst=destination[0], flags="DF")
    return Ether(dst=network.mac, src=sender.mac) / header / transport / Raw(payload)


def _ends(arrival: Arrival, protocol: str, *, is_query: bool) -> tuple[str, Endpoint, Endpoint]:
    """Return where a packet arrived, its source and its destination."""
    header = arrival.packet[IP]
    transport = header.payload
    if protocol == "icmp":
        assert transport.type == (8 if is_query else 0)
        ports = (transport.id, 0) if is_query else (0, transport.id)
    else:
        assert header.proto == {"tcp": 6, "udp": 17}[protocol]
        ports = (transport.sport, transport.dport)
    return arrival.host, (header.src, ports[0]), (header.dst, ports[1])


@pytest.mark.parametrize(("mapping", "filtering", "overlapping"), BEHAVIOURS)
@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])  # to shrink a trace takes minutes
@given(
    trace=st.lists(kinds.flatmap(STEPS.__getitem__), min_size=15, max_size=40),
    limit_sessions=st.sampled_from([None, None, 3, 1000]),
)
def test_core_and_rules_agree_on_every_packet(
    mapping: str, filtering: str, overlapping: str, trace: list[Step], limit_sessions: int | None
) -> None:
    """What arrives where, from whom and to whom, is what the behaviour says; the rules are the live sessions'."""
    trial = Trial(mapping, filtering, overlapping, limit_sessions)

    for step in trace:
        trial.happen(step)
        trial.check_rules()
