"""Where packets wait or evict for one another: each leaves once at most, and as its sender's own.

Random traces under the policies `hold` and `evict-lru` and one scarce thing after the other. Each packet says by a
number who sent it, so that what arrives can be traced.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP
from scapy.packet import Raw

from controller.nat.model import Protocol, Side
from controller.openflow.pipeline import rules_of
from tests.support.network import EXTERNAL, Arrival, Network, echo, tcp, udp
from tests.unit.controller.openflow.test_router_consistency import without_cookie

REST, PATIENCE = 0.5, 2.0
TIMERS = {
    "udp_timeout": 8,
    "icmp_timeout": 8,
    "tcp_idle_timeout": 8,
    "tcp_trans_open_timeout": 4,
    "tcp_trans_close_timeout": 1,
    "tcp_rst_timeout": 1,
    "hold_down_timeout": 0,
    "hold_timeout": PATIENCE,
}
SCARCE: dict[str, dict[str, object]] = {
    "ports": {"ports": 2},
    "ports of blocks": {"ports": 4, "port_allocation_type": "blocks", "port_set_size": 2, "port_set_timeout": 1},
    "mappings": {"ports": 8, "limit_port_mappings": 2},
    "sessions": {"ports": 8, "limit_sessions": 3},
    "quota": {"ports": 8, "port_quota": 1},
    "rate": {"ports": 8, "new_mapping_rate_per_subscriber": 0.5},
    "subscribers": {"ports": 8, "limit_subscribers": 1},
    "queue": {"ports": 1, "hold_queue": 2},
    "switch": {"ports": 8},
}
ROOM = 4
"""Rules, where the switch is scarce."""
DROPPED = [
    "dropped_port_packets",
    "dropped_address_packets",
    "dropped_port_limit_packets",
    "dropped_subscriber_limit_packets",
    "dropped_mapping_limit_packets",
    "dropped_state_limit_packets",
    "dropped_rate_packets",
    "dropped_flow_table_packets",
    "dropped_hold_packets",
]
NAMES = ("alice", "bob", "carol")
SERVERS = (("server", "198.51.100.1", 7), ("server", "198.51.100.1", 8), ("mirror", "203.0.113.1", 7))
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1}

External = tuple[str, int]


@dataclass(frozen=True)
class Sent:
    """A packet from inside, and when it was sent."""

    protocol: str
    inside: External
    server: tuple[str, str, int]
    at: float


class Trial:
    """A gateway, what was sent through it, and what came of that."""

    def __init__(self, scarce: str, policy: str, mapping: str, filtering: str) -> None:
        self.network = Network(
            clients=3,
            on_exhaustion=policy,
            mapping_type=mapping,
            filtering_type=filtering,
            **{**TIMERS, **SCARCE[scarce]},
        )
        if scarce == "switch":
            self.network.refuses = lambda rule: len(self.network.mapping_rules()) >= ROOM
        self.sent: list[Sent] = []
        self.delivered: dict[int, float] = {}
        self._last: dict[tuple[str, External, External], int] = {}
        self._strangers: Counter[str] = Counter()
        self._owners: dict[tuple[str, External], tuple[External, float]] = {}

    def send(self, protocol: str, name: str, port: int, server: tuple[str, str, int], flags: str = "S") -> None:
        """Let an inside host send, and note what arrives anywhere."""
        network, host = self.network, self.network.hosts[name]
        data = len(self.sent).to_bytes(3, "big")
        self.sent.append(Sent(protocol, (host.address, port), server, network.now))
        to = f"{server[1]}:{server[2]}"
        if protocol == "tcp":
            frame = tcp(network, host, port, to, flags, data)
        elif protocol == "udp":
            frame = udp(network, host, port, to, data)
        else:
            frame = echo(network, host, server[1], port)
            frame[Raw].load = data
        self._note(network.send(name, frame))

    def answer(self, server: tuple[str, str, int], place: int, flags: str = "SA") -> None:
        """Let a server send to an external endpoint that was seen; it arrives at its owner, or nowhere."""
        if not self._owners:
            return
        (protocol, external), (owner, _) = list(self._owners.items())[place % len(self._owners)]
        name, address, port = server
        host, network = self.network.hosts[name], self.network
        if protocol == "icmp":
            frame = echo(network, host, external[0], external[1], reply=True)
        else:
            to = f"{external[0]}:{external[1]}"
            frame = udp(network, host, port, to) if protocol == "udp" else tcp(network, host, port, to, flags)
        counters = network.router.nat.counters[Protocol(NUMBERS[protocol])]
        refused = counters.dropped_state_limit_packets
        arrivals = network.send(name, frame)
        self._strangers[protocol] += counters.dropped_state_limit_packets - refused
        for arrival in arrivals:
            header = arrival.packet[IP]
            inner = header.payload.id if protocol == "icmp" else header.payload.dport
            if network.hosts[arrival.host].side is Side.INSIDE:
                assert (header.dst, inner) == owner
                assert header.src == address
                self._owners[protocol, external] = (owner, network.now)
            else:
                self._note([arrival])  # it let out what waited for a session

    def wait(self, seconds: float) -> None:
        """Let time pass, as it passes for the controller."""
        for _ in range(int(seconds / 0.25)):
            self._note(self.network.tick(0.25))

    def _note(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            if IP in arrival.packet and self.network.hosts[arrival.host].side is Side.OUTSIDE:
                self._note_outside(arrival)

    def _note_outside(self, arrival: Arrival) -> None:
        header, now = arrival.packet[IP], self.network.now
        number = int.from_bytes(header[Raw].load, "big")
        sent = self.sent[number]
        assert number not in self.delivered, "it left twice"
        assert now - sent.at <= PATIENCE, "it left too late"
        self.delivered[number] = now
        assert (arrival.host, header.dst) == sent.server[:2]
        session = (sent.protocol, sent.inside, (header.dst, sent.server[2]))
        assert self._last.get(session, -1) < number, "they left in another order"
        self._last[session] = number
        external = (header.src, header[ICMP].id if sent.protocol == "icmp" else header.payload.sport)
        assert external[0] == EXTERNAL
        assert 1024 <= external[1] < 1032
        owner, passed_at = self._owners.get((sent.protocol, external), (sent.inside, 0.0))
        assert owner == sent.inside or now - passed_at >= REST, "a port without rest"
        self._owners[sent.protocol, external] = (sent.inside, now)

    def check(self) -> None:
        """The switch holds the rules of the live sessions, and the ports add up."""
        nat = self.network.router.nat
        live = [flow for flow in nat.flows() if flow.mapping.protocol is not Protocol.ICMP]
        assert {without_cookie(rule) for rule in self.network.mapping_rules()} == {
            rule for flow in live for rule in rules_of(flow, nat.settings.flows, cookie=0)
        }
        assert self.network.router.packet_ins_known_mappings == 0

    def check_all_is_accounted_for(self) -> None:
        """What did not leave was dropped, and counted once."""
        for protocol in ("udp", "icmp"):
            numbers = {number for number, each in enumerate(self.sent) if each.protocol == protocol}
            counters = self.network.router.nat.counters[Protocol(NUMBERS[protocol])]
            dropped = sum(getattr(counters, name) for name in DROPPED)
            assert len(numbers & self.delivered.keys()) + dropped - self._strangers[protocol] == len(numbers)


Step = tuple[object, ...]
servers = st.sampled_from(SERVERS)
STEPS: dict[str, st.SearchStrategy[Step]] = {
    "send": st.tuples(
        st.just("send"),
        st.sampled_from(["tcp", "udp", "udp", "icmp"]),
        st.sampled_from(NAMES),
        st.sampled_from([1, 2]),
        servers,
    ),
    "answer": st.tuples(st.just("answer"), servers, st.integers(0, 7)),
    "close": st.tuples(st.just("close"), st.integers(0, 7)),
    "wait": st.tuples(st.just("wait"), st.sampled_from([0.25, 0.25, 0.5, 1.0, 12.0])),
}
kinds = st.sampled_from(["send"] * 10 + ["answer"] * 3 + ["close"] + ["wait"] * 4)


def happen(trial: Trial, step: Step) -> None:
    """Let something happen."""
    match step:
        case ("send", str(protocol), str(name), int(port), (str(), str(), int()) as server):
            trial.send(protocol, name, port, server)
        case ("answer", (str(), str(), int()) as server, int(place)):
            trial.answer(server, place)
        case ("wait", float(seconds)):
            trial.wait(seconds)
        case ("close", int(place)):
            live = [mapping for mapping in trial.network.router.nat.mappings() if mapping.protocol is Protocol.TCP]
            if live:
                mapping = live[place % len(live)]
                host = next(
                    h for h in trial.network.hosts.values() if _number(h.address) == mapping.internal.address
                )
                for remote in [flow.peer for flow in mapping.flows]:
                    server = next(s for s in SERVERS if (_number(s[1]), s[2]) == (remote.address, remote.port))
                    trial.send("tcp", host.name, mapping.internal.port, server, "R")


def _number(address: str) -> int:
    return int.from_bytes(bytes(map(int, address.split("."))), "big")


@pytest.mark.parametrize("policy", ["hold", "evict-lru"])
@pytest.mark.parametrize("scarce", SCARCE)
@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])  # to shrink a trace takes minutes
@given(
    trace=st.lists(kinds.flatmap(STEPS.__getitem__), min_size=15, max_size=40),
    behaviour=st.sampled_from([("eim", "eif"), ("eim", "edf"), ("adm", "eif"), ("edm", "adf"), ("edm", "edf")]),
)
def test_what_waits_leaves_once_in_order_and_as_its_senders_own(
    scarce: str, policy: str, trace: list[Step], behaviour: tuple[str, str]
) -> None:
    """A port that changes hands rests in between: no packet of one host passes as another's."""
    trial = Trial(scarce, policy, *behaviour)

    for step in trace:
        happen(trial, step)
        trial.check()

    trial.wait(12.0)
    trial.check()
    if scarce != "switch":
        trial.check_all_is_accounted_for()
