"""What the controller records: replayed, it is the NAT's own table at every moment."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.nat.model import Limit, Protocol
from controller.openflow.recorder import Recorder
from controller.openflow.telemetry import gauges, recorded
from controller.recording import RECORD, Kind, RecordingPlan, Refusal, Release
from testbed.recording import Event, Phase, State
from testbed.recording.format import PROTOCOLS, REASONS, TICKS_PER_S
from tests.support.network import Network, echo, tcp, udp

SERVERS = ("198.51.100.1:7", "203.0.113.1:7")
HOSTS = ("alice", "bob", "carol")


class Recorded:
    """A network whose gateway records, from the beginning."""

    def __init__(self, **choices: Any) -> None:
        self.network = Network(clients=3, **choices)
        external = self.network.router.nat.settings.external_addresses
        self.recorder = Recorder(RecordingPlan(0.0, 1, 1, 100), external)
        self.network.router.record(self.recorder, 0.0)
        self._events: list[Event] = []
        self._subscribers: dict[int, str] = {0: ""}

    def events(self) -> list[Event]:
        """Return all that was recorded so far."""
        packed, missed, subscribers = self.recorder.batch.take()
        assert not missed
        self._subscribers |= subscribers
        addresses = {0: "", 1: "192.0.2.1"}
        self._events += [
            Event(
                ticks / TICKS_PER_S,
                Kind(kind),
                PROTOCOLS[detail & 15],
                "gateway",
                addresses[address],
                port,
                self._subscribers[subscriber],
                REASONS[Kind(kind)](detail >> 4) if Kind(kind) in REASONS else None,
            )
            for ticks, kind, detail, address, port, subscriber in RECORD.iter_unpack(packed)
        ]
        return self._events

    def replayed(self) -> State:
        """Return the state after all that was recorded so far."""
        state = State()
        for event in self.events():
            state.apply(event)
        return state

    def require_agreement(self) -> None:
        """Require that the recording says what the NAT knows."""
        state, nat = self.replayed(), self.network.router.nat
        for protocol in Protocol:
            usage, counts = nat.pool.usage(protocol), state.counts(protocol=protocol.name.lower())
            assert counts[Phase.IN_USE] + counts[Phase.CLOSING] == usage.allocated
            assert counts[Phase.RESTING] == usage.resting
            assert counts[Phase.HELD_DOWN] == usage.held_down
        dropped = {
            Refusal[limit.name]: sum(getattr(nat.counters[protocol], limit.value) for protocol in Protocol)
            for limit in Limit
        }
        found = {limit: number for (_, limit), number in state.refusals.items()}
        assert found == {limit: number for limit, number in dropped.items() if number}
        assert state.held.total() == sum(nat.counters[protocol].held_packets for protocol in Protocol)
        assert state.subscribers.total() == len(list(nat.mappings()))


packets = st.tuples(
    st.sampled_from(["tcp", "udp", "icmp"]),
    st.sampled_from(HOSTS),
    st.integers(0, 2),
    st.sampled_from(SERVERS),
    st.sampled_from(["S", "FA", "R", "A"]),
)
answers = st.tuples(st.just("answer"), st.sampled_from(["SA", "FA", "R", "A", "S"]), st.integers(0, 5))
waits = st.tuples(st.just("wait"), st.sampled_from([0.05, 0.6, 3.0, 70.0]))
CHOICES: list[dict[str, Any]] = [
    {"ports": 3, "hold_down_timeout": 0},
    {"ports": 3, "hold_down_timeout": 60, "hold_down_max": 1},
    {"ports": 2, "on_exhaustion": "evict-lru"},
    {"ports": 2, "on_exhaustion": "hold", "hold_queue": 2},
    {"ports": 2, "mapping_type": "edm", "filtering_type": "edf", "port_overlapping": "endpoint"},
    {"ports": 6, "port_quota": 1, "limit_sessions": 3},
]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(CHOICES), st.booleans(), st.lists(st.one_of(packets, answers, waits), max_size=25))
def test_the_replay_is_the_nat_s_own_table_at_every_moment(
    choices: dict[str, Any], is_full: bool, steps: list[Any]
) -> None:
    """Ports in use, resting and held down; refusals by limit as often as the counters have it; held packets."""
    recorded_ = Recorded(**choices)
    network = recorded_.network
    for number, step in enumerate(steps):
        if is_full:
            network.refuses = lambda rule, number=number: number % 3 == 0
        if step[0] == "wait":
            network.tick(step[1])
        elif step[0] == "answer":
            _answer(network, *step[1:])
        else:
            _send(network, *step)
        recorded_.require_agreement()
    network.router.flush(network.now)
    for _ in range(3):
        network.tick(200.0)
    recorded_.require_agreement()


def _send(network: Network, protocol: str, host: str, port: int, server: str, flags: str) -> None:
    if protocol == "icmp":
        network.send(host, echo(network, network.hosts[host], server.partition(":")[0], 40000 + port))
    elif protocol == "udp":
        network.send(host, udp(network, network.hosts[host], 40000 + port, server))
    else:
        network.send(host, tcp(network, network.hosts[host], 40000 + port, server, flags))


def _answer(network: Network, flags: str, place: int) -> None:
    """Let the server of some connection send a segment on it."""
    flows = [flow for flow in network.router.nat.flows() if flow.mapping.protocol is Protocol.TCP]
    if flows:
        flow = flows[place % len(flows)]
        name = "server" if str(flow.peer).startswith("198.") else "mirror"
        frame = tcp(network, network.hosts[name], flow.peer.port, str(flow.mapping.external), flags)
        network.send(name, frame)


def test_a_mapping_is_closing_when_its_last_connection_has_ended() -> None:
    """And used again when another connection comes to it."""
    recorded_ = Recorded(ports=4)
    network = recorded_.network
    for server in SERVERS:
        network.send("alice", tcp(network, network.alice, 40000, server))
    external = str(next(network.router.nat.flows()).mapping.external)

    network.send("server", tcp(network, network.server, 7, external, "R"))
    (kinds, before) = [event.kind for event in recorded_.events()], recorded_.replayed().counts()
    network.send("mirror", tcp(network, network.mirror, 7, external, "R"))
    after = recorded_.replayed().counts()
    network.send("alice", tcp(network, network.alice, 40000, SERVERS[0]))

    assert kinds == [Kind.ALLOCATED]
    assert (before[Phase.CLOSING], after[Phase.CLOSING]) == (0, 1)
    assert [event.kind for event in recorded_.events()] == [Kind.ALLOCATED, Kind.CLOSING, Kind.REOPENED]


def test_an_event_has_its_port_its_subscriber_and_its_reason() -> None:
    """By their addresses, whatever their indexes are."""
    recorded_ = Recorded(ports=1)
    network = recorded_.network
    network.send("bob", udp(network, network.bob, 40000, SERVERS[0]))
    network.send("carol", udp(network, network.carol, 40000, SERVERS[0]))
    network.now = 2.5
    network.router.flush(network.now)

    given_, refused, released = recorded_.events()

    bob, carol = network.bob.address, network.carol.address
    assert (given_.address, given_.port, given_.subscriber) == ("192.0.2.1", 1024, bob)
    assert (refused.kind, refused.reason, refused.subscriber) == (Kind.REFUSED, Refusal.PORTS, carol)
    assert (released.time, released.reason, released.subscriber) == (2.5, Release.FLUSHED, bob)


def test_a_held_packet_whose_sender_gives_up_is_refused() -> None:
    """As its counter has it: it was not let through."""
    recorded_ = Recorded(ports=1, on_exhaustion="hold")
    network = recorded_.network
    for flags in ("S", "R"):
        network.send("alice", tcp(network, network.alice, 40000, SERVERS[0], flags))
        network.send("bob", tcp(network, network.bob, 40000, SERVERS[0], flags))

    assert recorded_.replayed().refusals.total() == 1
    recorded_.require_agreement()


def test_a_stranger_s_packet_that_the_switch_has_no_room_for_is_refused() -> None:
    """Though nobody has the packet any more."""
    recorded_ = Recorded(ports=1)
    network = recorded_.network
    network.send("alice", tcp(network, network.alice, 40000, SERVERS[0]))
    external = str(next(network.router.nat.flows()).mapping.external)
    network.refuses = lambda rule: True
    network.send("mirror", tcp(network, network.mirror, 7, external, "S"))

    assert recorded_.replayed().refusals.total() == 1
    recorded_.require_agreement()


def test_static_mappings_are_there_from_the_beginning() -> None:
    """Their ports are taken, as the gauge has it."""
    static = ["tcp 192.0.2.1:1025 10.0.0.1:80"]
    recorded_ = Recorded(ports=4, static_mappings=static)

    recorded_.require_agreement()
    assert recorded_.replayed().allocated() == 1


def test_a_flood_of_refusals_takes_no_more_memory_than_a_batch() -> None:
    """What does not fit is counted, and said."""
    plan = RecordingPlan(0.0, 1, 1, 100)
    recorder = Recorder(plan, [])
    network = Recorded(ports=1).network
    packet = None
    for number in range(20_050):
        if packet is None:
            network.send("alice", udp(network, network.alice, 40000, SERVERS[0]))
            packet = next(network.router.nat.flows())
        recorder.lost(packet, number / 1e4)

    told = recorded(recorder.batch)

    assert told["missed"] == 50
    assert len(told["events"]) == 20_000 * RECORD.size * 4 // 3
    assert recorded(recorder.batch) == {"events": "", "missed": 0, "subscribers": []}


def test_a_subscriber_without_an_index_left_is_not_known() -> None:
    """The event counts all the same."""
    network = Network(ports=8)
    recorder = Recorder(RecordingPlan(0.0, 1, 7, 1), network.router.nat.settings.external_addresses)
    network.router.record(recorder, 0.0)
    for host in ("alice", "bob"):
        network.send(host, udp(network, network.hosts[host], 40000, SERVERS[0]))

    packed, _, subscribers = recorder.batch.take()

    assert [row[-1] for row in RECORD.iter_unpack(packed)] == [7, 0]
    assert subscribers == [(7, network.alice.address)]


def test_nothing_is_recorded_unless_somebody_asks() -> None:
    """The gauges are the same, and no phase of a port is an event."""
    asked, quiet = Network(ports=2), Network(ports=2)
    asked.router.record(Recorder(RecordingPlan(0.0, 1, 1, 9), asked.router.nat.settings.external_addresses), 0.0)
    for network in (asked, quiet):
        network.send("alice", tcp(network, network.alice, 40000, SERVERS[0]))
        network.tick(300.0)

    assert gauges(asked.router) == gauges(quiet.router)
