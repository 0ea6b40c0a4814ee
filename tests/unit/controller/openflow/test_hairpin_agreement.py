"""Core and rules agree on what stays inside, for every behaviour: who reaches whom, as whom, and at what cost.

Random traces of datagrams to servers and to external endpoints, some of which nobody has. The judge is the one of
`test_pipeline_agreement`. A packet between two inside hosts is an outbound one of a mapping, and then an inbound
one of another, from the first mapping's external endpoint.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from controller.nat import model
from controller.nat.model import Protocol
from tests.support.behaviour import RANKS, Behaviour, Endpoint, Mapping, part
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Network, udp

PORTS, REST = 4, 0.5
LONG = {"udp_timeout": 1000, "hold_down_timeout": 0}
INSIDE = [("alice", 40000), ("alice", 40001), ("bob", 40000)]
SERVERS = [("server", "198.51.100.1", 7), ("server", "198.51.100.1", 8), ("mirror", "203.0.113.1", 7)]
BEHAVIOURS = [
    (mapping, filtering, overlapping)
    for mapping in ("eim", "adm", "edm")
    for filtering in ("eif", "adf", "edf")
    for overlapping in ("off", "address", "endpoint")
    if RANKS[overlapping] <= min(RANKS[mapping], RANKS[filtering])
]
steps = st.tuples(
    st.integers(0, len(INSIDE) - 1),
    st.one_of(st.integers(0, len(SERVERS) - 1).map(SERVERS.__getitem__), st.integers(1023, 1024 + PORTS)),
)


class Trial:
    """A gateway, and beside it what it ought to do."""

    def __init__(self, mapping: str, filtering: str, overlapping: str, limit_sessions: int | None) -> None:
        kinds = {"mapping_type": mapping, "filtering_type": filtering, "port_overlapping": overlapping}
        self.network = Network(ports=PORTS, limit_sessions=limit_sessions, **kinds, **LONG)
        ranks = RANKS[mapping], RANKS[filtering], RANKS[overlapping]
        self.behaviour = Behaviour(*ranks, limit_sessions, PORTS, REST)

    def send(self, inside: int, to: tuple[str, str, int] | int) -> None:
        """Let an inside host send to a server, or to an external port; judge who gets it."""
        (name, port), behaviour = INSIDE[inside], self.behaviour
        host = self.network.hosts[name]
        internal, remote = (host.address, port), (EXTERNAL, to) if isinstance(to, int) else to[1:]
        arrivals = self.network.send(name, udp(self.network, host, port, f"{remote[0]}:{remote[1]}", b"x"))

        sender = self._leaves(internal, remote)
        if sender is None:
            assert arrivals == []
        elif not isinstance(to, int):
            self._check(arrivals, to[0], sender.external, remote)
        else:
            receiver = self._enters(remote, sender.external)
            if receiver is None:
                assert arrivals == []
            else:
                names = {each.address: each.name for each in self.network.hosts.values()}
                self._check(arrivals, names[receiver.internal[0]], sender.external, receiver.internal)
        assert len(behaviour.mappings) == len(self.network.router.nat)

    def _leaves(self, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping by which a packet leaves; it may be new."""
        behaviour = self.behaviour
        known = behaviour.outbound("udp", internal, remote)
        if known is not None:
            behaviour.join(known, remote, is_from_inside=True)
            return known
        is_somebodys = remote[0] != EXTERNAL or any(each.external == remote for each in behaviour.mappings)
        if not is_somebodys or not behaviour.has_session_left():
            return None
        mapping = behaviour.mapping_for("udp", internal, remote)
        if mapping is None:
            free = {(EXTERNAL, port) for port in behaviour.free_ports("udp", remote, 0.0)} - {remote}
            if not free:
                return None
            mapping = Mapping("udp", internal, remote, self._given(internal, remote))
            assert mapping.external in free
            behaviour.add(mapping)
        behaviour.join(mapping, remote, is_from_inside=True)
        return mapping

    def _enters(self, external: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping by which a packet from an external endpoint enters, if it is let in."""
        behaviour = self.behaviour
        mapping = behaviour.behind("udp", external, remote)
        if mapping is None:
            return None
        is_known = part(remote, behaviour.told_apart("udp")) in mapping.sessions
        if not is_known and not (behaviour.lets_in(mapping, remote) and behaviour.has_session_left()):
            return None
        behaviour.join(mapping, remote, is_from_inside=False)
        return mapping

    def _given(self, internal: Endpoint, remote: Endpoint) -> Endpoint:
        """Return the external endpoint that a new mapping got, of which the NAT has the choice."""
        flow = self.network.router.nat.outbound_flow(Protocol.UDP, number(internal), number(remote))
        assert flow is not None
        address, port = str(flow.mapping.external).split(":")
        return address, int(port)

    def _check(self, arrivals: list[Arrival], host: str, source: Endpoint, destination: Endpoint) -> None:
        (arrival,) = arrivals
        header = arrival.packet[IP]
        assert (arrival.host, header.ttl, bytes(arrival.packet[Raw])) == (host, 63, b"x")
        assert (header.src, header[UDP].sport) == source
        assert (header.dst, header[UDP].dport) == destination
        assert bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)


def number(endpoint: Endpoint) -> model.Endpoint:
    """Return an endpoint as the NAT has it."""
    return model.Endpoint.parse(f"{endpoint[0]}:{endpoint[1]}")


@pytest.mark.parametrize(("mapping", "filtering", "overlapping"), BEHAVIOURS)
@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])  # to shrink a trace takes minutes
@given(trace=st.lists(steps, min_size=10, max_size=40), limit_sessions=st.sampled_from([None, None, 4, 1000]))
def test_core_and_rules_agree_on_what_stays_inside(
    mapping: str,
    filtering: str,
    overlapping: str,
    trace: list[tuple[int, tuple[str, str, int] | int]],
    limit_sessions: int | None,
) -> None:
    """Each datagram arrives where and as the behaviour has it, or nowhere."""
    trial = Trial(mapping, filtering, overlapping, limit_sessions)

    for inside, to in trace:
        trial.send(inside, to)
