"""What becomes of a frame that cannot be translated because something ran short: each policy on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.openflow import errors
from controller.openflow.rules import Rule, Table
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network, echo, tcp, udp

SERVER, MIRROR = "198.51.100.1:7", "203.0.113.1:7"
GATEWAY = "10.0.255.254"
REST = 0.5
TIMERS = {"hold_down_timeout": 0, "tcp_trans_close_timeout": 1, "udp_timeout": 8}


def syn(network: Network, host: Host, port: int = 40000) -> Layer:
    """Return a first segment."""
    return tcp(network, host, port, SERVER)


def datagram(network: Network, host: Host, port: int = 40000) -> Layer:
    """Return a datagram."""
    return udp(network, host, port, SERVER)


def ping(network: Network, host: Host, port: int = 40000) -> Layer:
    """Return an echo request."""
    return echo(network, host, "198.51.100.1", port)


Make = Callable[[Network, Host, int], Layer]
MAKERS: list[Make] = [syn, datagram, ping]


def full(**settings: object) -> Network:
    """Return a network in which alice has the only port of each protocol."""
    network = Network(clients=3, ports=1, **{**TIMERS, **settings})
    for make in MAKERS:
        assert len(network.send("alice", make(network, network.alice, 40000))) == 1
    return network


def close(network: Network) -> list[Arrival]:
    """Let alice's connection close, and its timer run out; return what arrives because of that."""
    network.send("alice", tcp(network, network.alice, 40000, SERVER, "FA"))
    network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:1024", "FA"))
    return network.tick(1.0)


def data(arrivals: list[Arrival]) -> list[tuple[str, bytes]]:
    """Return where each frame arrived, and what it says."""
    return [(arrival.host, bytes(arrival.packet[Raw].load)) for arrival in arrivals]


def error_about(network: Network, host: Host, frame: Layer, arrival: Arrival, code: int = 13) -> None:
    """The arrival is an ICMP error from the gateway about this frame, as its sender wrote it."""
    packet = arrival.packet
    assert (arrival.host, packet.src, packet.dst) == (host.name, network.mac, host.mac)
    assert (packet[IP].src, packet[IP].dst) == (GATEWAY, host.address)
    assert (packet[ICMP].type, packet[ICMP].code) == (3, code)
    assert bytes(packet[ICMP].payload) == bytes(frame[IP])
    assert bytes(with_checksums(packet, (IP, ICMP))) == bytes(packet)


def is_reset_for(frame: Layer, arrival: Arrival) -> bool:
    """Whether a client that has sent this SYN, and nothing else, takes it (RFC 9293 section 3.10.7.3)."""
    segment = arrival.packet[TCP]
    return (
        (arrival.packet[IP].src, arrival.packet[IP].dst) == (frame[IP].dst, frame[IP].src)
        and (segment.sport, segment.dport) == (frame[TCP].dport, frame[TCP].sport)
        and segment.flags == "RA"
        and segment.ack == (frame[TCP].seq + 1) % 2**32
        and bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)
    )


# drop


@pytest.mark.parametrize("make", MAKERS)
def test_drop_sends_no_answer(make: Make) -> None:
    """The default policy drops a packet in silence."""
    network = full()

    assert network.send("bob", make(network, network.bob, 40000)) == []


# icmp


@pytest.mark.parametrize("code", [13, 1])
@pytest.mark.parametrize("make", MAKERS)
def test_icmp_sends_the_sender_an_error_about_its_own_packet(make: Make, code: int) -> None:
    """RFC 5508 REQ-8, RFC 6888 REQ-11B: the error comes from the gateway's address on the sender's side."""
    network = full(on_exhaustion="icmp", icmp_code=code)
    frame = make(network, network.bob, 40000)

    (arrival,) = network.send("bob", frame)

    error_about(network, network.bob, Ether(bytes(frame)), arrival, code)
    assert sum(network.router.nat.counters[protocol].icmp_sent for protocol in Protocol) == 1


def test_icmp_errors_are_limited_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 1812 section 4.3.2.8: a burst, then `icmp_rate` in a second; what is not sent is not counted as sent."""
    monkeypatch.setattr(errors, "BURST", 3)
    network = full(on_exhaustion="icmp", icmp_rate=2)

    def refused(attempts: int) -> int:
        return sum(len(network.send("bob", datagram(network, network.bob, 1 + n))) for n in range(attempts))

    assert refused(5) == 3
    network.tick(0.25)
    assert refused(2) == 0
    network.tick(0.25)
    assert refused(2) == 1
    network.tick(60.0)
    network.send("alice", datagram(network, network.alice, 40000))
    assert refused(5) == 3
    assert network.router.nat.counters[Protocol.UDP].icmp_sent == 7
    assert network.router.nat.counters[Protocol.UDP].dropped_port_packets == 14


def test_a_whole_pool_of_attempts_may_be_refused_at_once() -> None:
    """The burst is above any scenario's refusals."""
    assert errors.BURST >= 65_536


# reset


@pytest.mark.parametrize("seq", [0, 1, 2**31, 2**32 - 1])
def test_reset_sends_what_a_client_in_syn_sent_accepts(seq: int) -> None:
    """RFC 9293 section 3.10.7.3: RST and ACK, and the acknowledgement of the SYN alone."""
    network = full(on_exhaustion="reset")
    frame = syn(network, network.bob)
    frame[TCP].seq = seq

    (arrival,) = network.send("bob", frame)

    assert arrival.host == "bob"
    assert is_reset_for(frame, arrival)
    assert network.router.nat.counters[Protocol.TCP].resets_sent == 1


@pytest.mark.parametrize("make", [datagram, ping])
def test_reset_answers_other_protocols_by_icmp(make: Make) -> None:
    """Only TCP has resets."""
    network = full(on_exhaustion="reset")
    frame = make(network, network.bob, 40000)

    (arrival,) = network.send("bob", frame)

    error_about(network, network.bob, Ether(bytes(frame)), arrival)


@pytest.mark.parametrize("policy", ["icmp", "reset"])
def test_a_stranger_gets_no_answer(policy: str) -> None:
    """A host that sends uninvited learns nothing of the limits inside."""
    network = Network(ports=4, limit_sessions=1, on_exhaustion=policy)
    network.send("alice", datagram(network, network.alice))
    external = next(iter(network.router.nat.mappings())).external

    for flags in ("S", "A"):
        assert network.send("mirror", tcp(network, network.mirror, 9, f"{EXTERNAL}:{external.port}", flags)) == []
    assert network.send("mirror", udp(network, network.mirror, 9, f"{EXTERNAL}:{external.port}")) == []


# hold


def test_a_held_syn_leaves_once_when_a_port_is_free() -> None:
    """Sent twice, held once: the client's repetition is not a second connection."""
    network = full(on_exhaustion="hold", hold_timeout=4)
    assert network.send("bob", syn(network, network.bob)) == []
    network.tick(0.25)
    assert network.send("bob", syn(network, network.bob)) == []

    assert close(network) == []  # its port rests
    (arrival,) = network.tick(REST)

    assert (arrival.host, arrival.packet[IP].src, arrival.packet[TCP].sport) == ("server", EXTERNAL, 1024)
    answer = tcp(network, network.server, 7, f"{EXTERNAL}:1024", "SA")
    assert [a.host for a in network.send("server", answer)] == ["bob"]
    assert network.router.nat.counters[Protocol.TCP].held_packets == 1
    assert network.tick(10.0) == []


def test_held_frames_leave_in_their_order() -> None:
    """Each client's frames leave in the order in which they came, each once; the first client is served first."""
    network = full(on_exhaustion="hold", hold_timeout=60, fallback="icmp")
    for number in range(3):
        network.send("bob", udp(network, network.bob, 5, SERVER, b"bob %d" % number))
        network.send("carol", udp(network, network.carol, 5, SERVER, b"carol %d" % number))

    seen = []
    for _ in range(100):
        seen += data(network.tick(0.25))

    assert seen == [("server", b"bob %d" % n) for n in range(3)] + [("server", b"carol %d" % n) for n in range(3)]
    assert network.router.nat.counters[Protocol.UDP].held_packets == 6
    assert network.router.packet_ins_known_mappings == 0


def test_held_frames_to_several_servers_leave_each_by_its_own_session() -> None:
    """They wait for one mapping; with filtering that depends on the peer it has several pairs of rules."""
    network = full(on_exhaustion="hold", hold_timeout=60, filtering_type="edf")
    for number, to in enumerate((SERVER, MIRROR, "198.51.100.1:8", SERVER)):
        network.send("bob", udp(network, network.bob, 5, to, b"%d" % number))

    seen = []
    for _ in range(60):
        seen += network.tick(0.25)

    assert data(seen) == [("server", b"0"), ("mirror", b"1"), ("server", b"2"), ("server", b"3")]
    assert {arrival.packet[UDP].sport for arrival in seen} == {1024}


@pytest.mark.parametrize(("unwanted", "wanted"), [(SERVER, "mirror"), (MIRROR, "server")])
def test_a_client_that_reset_what_it_waits_for_is_passed_over(unwanted: str, wanted: str) -> None:
    """Of two frames of bob's that wait together, the one goes out that is still wanted."""
    network = full(on_exhaustion="hold", hold_timeout=60)
    assert network.send("bob", syn(network, network.bob)) == []
    assert network.send("bob", tcp(network, network.bob, 40000, MIRROR)) == []
    assert network.send("bob", tcp(network, network.bob, 40000, unwanted, "R")) == []

    close(network)
    arrivals = network.tick(REST)

    assert [(arrival.host, arrival.packet[IP].src) for arrival in arrivals] == [(wanted, EXTERNAL)]
    assert len(list(network.router.nat.flows())) == 3  # with a UDP flow and a query of alice's


def test_an_icmp_error_of_a_client_ends_its_waiting() -> None:
    """RFC 5508 REQ-5: it is about no flow, and is dropped; but who sends it waits for nothing."""
    network = full(on_exhaustion="hold", hold_timeout=60)
    for name in ("bob", "carol"):
        assert network.send(name, datagram(network, network.hosts[name])) == []
    about = IP(src="198.51.100.1", dst=network.bob.address) / UDP(sport=7, dport=40000)
    header = IP(src=network.bob.address, dst="198.51.100.1") / ICMP(type=3, code=3)
    error = Ether(dst=network.mac, src=network.bob.mac) / header / Raw(bytes(about))
    assert network.send("bob", error) == []

    arrivals = [arrival for _ in range(60) for arrival in network.tick(0.25)]

    assert [arrival.host for arrival in arrivals] == ["server"]
    assert network.mapping(Protocol.UDP, network.carol, 40000) is not None


@pytest.mark.parametrize("fallback", ["drop", "icmp", "reset"])
def test_frames_that_were_held_for_too_long_get_the_fallback(fallback: str) -> None:
    """Each frame gets it at the end of `hold_timeout`."""
    network = full(on_exhaustion="hold", hold_timeout=1, fallback=fallback)
    datagrams = [Ether(bytes(udp(network, network.bob, 5, SERVER, b"%d" % n))) for n in range(3)]
    opening = Ether(bytes(syn(network, network.carol)))
    for frame in datagrams:
        assert network.send("bob", frame) == []
    assert network.send("carol", opening) == []

    assert network.tick(0.99) == []
    told = network.tick(0.01)

    if fallback == "drop":
        assert told == []
        return
    assert [arrival.host for arrival in told] == ["bob"] * 3 + ["carol"]
    if fallback == "icmp":
        for frame, arrival in zip([*datagrams, opening], told, strict=True):
            error_about(network, network.hosts[arrival.host], frame, arrival)
    else:
        assert is_reset_for(opening, told[-1])


def test_a_full_queue_gives_the_fallback_at_once() -> None:
    """`hold_queue` is a limit like the others."""
    network = full(on_exhaustion="hold", hold_queue=2, fallback="reset")
    assert network.send("bob", syn(network, network.bob, 1)) == []
    assert network.send("bob", syn(network, network.bob, 2)) == []
    frame = Ether(bytes(syn(network, network.bob, 3)))

    (arrival,) = network.send("bob", frame)

    assert is_reset_for(frame, arrival)
    assert network.router.nat.counters[Protocol.TCP].dropped_hold_packets == 1


@pytest.mark.parametrize("make", [syn, datagram])
def test_hundreds_of_held_frames_are_decided_at_once(make: Make) -> None:
    """All lose patience together, in their order: no stack is deep enough for a call in a call for each."""
    network = full(on_exhaustion="hold", hold_timeout=1, fallback="reset")
    for number in range(300):
        network.send("bob", make(network, network.bob, 1 + number))

    told = network.tick(1.0)

    assert len(told) == 300
    if make is syn:
        assert [arrival.packet[TCP].dport for arrival in told] == list(range(1, 301))


def test_many_held_frames_leave_at_once() -> None:
    """When all mappings of one host have ended, the waiting packets leave, each endpoint's in their order."""
    network = Network(clients=3, ports=60, on_exhaustion="hold", hold_timeout=20, hold_queue=1000, **TIMERS)
    for number in range(60):
        network.send("alice", udp(network, network.alice, 1 + number, SERVER))
    for number in range(60):
        network.send("bob", udp(network, network.bob, 1 + number, SERVER, b"first"))
        network.send("bob", udp(network, network.bob, 1 + number, SERVER, b"second"))

    seen = []
    for _ in range(30):
        seen += network.tick(0.5)

    assert len(seen) == 120
    assert len({arrival.packet[UDP].sport for arrival in seen}) == 60
    by_port: dict[int, list[bytes]] = {}
    for arrival in seen:
        by_port.setdefault(arrival.packet[UDP].sport, []).append(arrival.packet[Raw].load)
    assert all(said == [b"first", b"second"] for said in by_port.values())


# evict-lru


def test_the_newcomer_takes_the_port_of_the_longest_idle_after_its_rest() -> None:
    """While the port rests, neither the newcomer nor the victim uses it, nor a host that sends to the victim."""
    network = full(on_exhaustion="evict-lru")
    answer = udp(network, network.server, 7, f"{EXTERNAL}:1024", b"for alice")

    assert network.send("bob", udp(network, network.bob, 5, SERVER, b"of bob")) == []

    assert network.send("server", answer) == []
    network.tick(REST / 2)
    assert network.send("alice", udp(network, network.alice, 40000, SERVER, b"of alice")) == []
    assert data(network.tick(REST / 2)) == [("server", b"of bob")]
    assert [a.host for a in network.send("server", answer)] == ["bob"]
    assert network.router.nat.counters[Protocol.UDP].evicted_mappings == 1


def test_an_evicted_host_gets_the_fallback_or_another_port_but_never_the_new_owners() -> None:
    """The only port is on its way to the newcomer, and no other mapping has one to give."""
    network = full(on_exhaustion="evict-lru", fallback="icmp")
    network.send("bob", udp(network, network.bob, 5, SERVER, b"of bob"))
    frame = udp(network, network.alice, 40000, SERVER, b"of alice")
    seen = network.send("alice", frame)
    for _ in range(10):
        seen += network.tick(0.25)

    told, gone = seen
    error_about(network, network.alice, Ether(bytes(frame)), told)
    assert data([gone]) == [("server", b"of bob")]


@pytest.mark.parametrize("used_by", ["alice", "server"])
def test_a_mapping_in_use_is_not_evicted(used_by: str) -> None:
    """Packets of either direction are use, though the controller sees only their counts."""
    network = Network(clients=3, ports=2, on_exhaustion="evict-lru", **{**TIMERS, "udp_timeout": 300})
    (out,) = network.send("alice", datagram(network, network.alice))
    network.tick(0.25)
    network.send("bob", datagram(network, network.bob))
    for _ in range(8):
        network.tick(0.5)
        if used_by == "alice":
            network.send("alice", datagram(network, network.alice))
        else:
            network.send("server", udp(network, network.server, 7, f"{EXTERNAL}:{out.packet[UDP].sport}"))

    network.send("carol", datagram(network, network.carol))
    (arrival,) = network.tick(REST)

    assert arrival.packet[UDP].sport != out.packet[UDP].sport
    assert network.mapping(Protocol.UDP, network.alice, 40000) is not None
    assert network.mapping(Protocol.UDP, network.bob, 40000) is None


def test_where_no_port_has_to_rest_the_newcomers_frame_leaves_at_once() -> None:
    """There are ports enough, but no more mappings are allowed."""
    network = Network(ports=8, limit_port_mappings=1, on_exhaustion="evict-lru")
    (first,) = network.send("alice", datagram(network, network.alice))

    (arrival,) = network.send("bob", datagram(network, network.bob))

    assert arrival.packet[UDP].sport != first.packet[UDP].sport
    assert len(network.mapping_rules()) == 2


# A switch without room


def only(network: Network, rules: int) -> Callable[[Rule], bool]:
    """Return a check whether a switch with room for `rules` rules of mappings refuses a rule."""
    return lambda rule: len(network.mapping_rules()) >= rules


@pytest.mark.parametrize(
    "tables", [(Table.OUTBOUND, Table.INBOUND), (Table.OUTBOUND,)], ids=["both rules", "the outbound rule"]
)
@pytest.mark.parametrize("make", [syn, datagram])
@pytest.mark.parametrize("policy", ["drop", "icmp", "reset", "hold", "evict-lru"])
def test_a_switch_without_room_is_a_limit_like_the_others(
    policy: str, make: Make, tables: tuple[Table, ...]
) -> None:
    """Nothing leaves and nothing stays behind; the sender gets the policy's answer."""
    network = Network(ports=4, on_exhaustion=policy, hold_timeout=2, fallback="icmp", **TIMERS)
    network.refuses = lambda rule: rule.table in tables
    frame = Ether(bytes(make(network, network.bob, 40000)))

    told = network.send("bob", frame)
    for _ in range(9):
        told += network.tick(0.25)

    assert network.mapping_rules() == set()
    assert len(network.router.nat) == 0
    assert (
        network.router.nat.counters[Protocol.TCP if make is syn else Protocol.UDP].dropped_flow_table_packets == 1
    )
    if policy == "drop":
        assert told == []
    elif policy == "reset" and make is syn:
        (arrival,) = told
        assert is_reset_for(frame, arrival)
    else:
        (arrival,) = told
        error_about(network, network.bob, frame, arrival)

    network.refuses = lambda rule: False
    network.tick(REST)
    assert [a.host for a in network.send("bob", make(network, network.bob, 40001))] == ["server"]


@pytest.mark.parametrize("make", [syn, datagram])
def test_a_full_switch_makes_room_by_eviction(make: Make) -> None:
    """The oldest mapping's rules go, and the newcomer's frame leaves at once, and once."""
    network = Network(clients=3, ports=8, on_exhaustion="evict-lru", **TIMERS)
    network.refuses = only(network, 4)
    network.send("alice", make(network, network.alice, 40000))
    network.tick(0.25)
    network.send("bob", make(network, network.bob, 40000))
    network.tick(0.25)

    (arrival,) = network.send("carol", make(network, network.carol, 40000))

    assert arrival.host == "server"
    protocol = Protocol.TCP if make is syn else Protocol.UDP
    owners = [network.mapping(protocol, host, 40000) is not None for host in (network.alice, network.bob)]
    assert owners == [False, True]
    assert len(network.mapping_rules()) == 4
    assert network.router.nat.counters[protocol].evicted_mappings == 1


def test_a_held_frame_leaves_when_the_switch_has_room_again() -> None:
    """The end of any mapping makes some."""
    network = Network(ports=8, on_exhaustion="hold", hold_timeout=4, **TIMERS)
    network.refuses = only(network, 2)
    (out,) = network.send("alice", syn(network, network.alice))
    assert network.send("bob", syn(network, network.bob)) == []

    network.send("alice", tcp(network, network.alice, 40000, SERVER, "FA"))
    network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:{out.packet[TCP].sport}", "FA"))
    (arrival,) = network.tick(1.0)

    assert arrival.host == "server"
    assert [network.mapping(Protocol.TCP, h, 40000) is None for h in (network.alice, network.bob)] == [True, False]


@pytest.mark.parametrize("policy", ["hold", "evict-lru"])
@pytest.mark.parametrize("make", [syn, datagram])
def test_a_held_frame_that_gets_a_port_and_no_rules_is_not_forgotten(make: Make, policy: str) -> None:
    """Such a frame waits for room in the switch, and its sender gets one answer in the end."""
    network = full(on_exhaustion=policy, hold_timeout=4, fallback="icmp")
    frame = Ether(bytes(make(network, network.bob, 40000)))
    told = network.send("bob", frame)
    network.refuses = lambda rule: True
    told += close(network)
    for _ in range(60):
        told += network.tick(0.25)

    (arrival,) = [each for each in told if each.host == "bob"]
    error_about(network, network.bob, frame, arrival)
    protocol = Protocol.TCP if make is syn else Protocol.UDP
    assert network.mapping(protocol, network.bob, 40000) is None


def test_a_refused_session_of_a_known_mapping_leaves_the_others_alone() -> None:
    """Only the session without room is undone: the mapping stays, with its other sessions."""
    network = Network(ports=8, filtering_type="edf", on_exhaustion="icmp")
    network.refuses = only(network, 2)
    network.send("alice", datagram(network, network.alice))
    frame = Ether(bytes(udp(network, network.alice, 40000, MIRROR)))

    (arrival,) = network.send("alice", frame)

    error_about(network, network.alice, frame, arrival)
    assert [a.host for a in network.send("alice", datagram(network, network.alice))] == ["server"]
    assert len(network.router.nat) == 1


def test_a_strangers_session_without_room_is_dropped_in_silence() -> None:
    """No inside host sent it, so none gets an answer; the mapping stays."""
    network = Network(ports=8, mapping_type="eim", limit_sessions=100, on_exhaustion="icmp")
    network.refuses = only(network, 2)
    (out,) = network.send("alice", datagram(network, network.alice))

    stranger = udp(network, network.mirror, 9, f"{EXTERNAL}:{out.packet[UDP].sport}")

    assert network.send("mirror", stranger) == []
    assert network.router.nat.counters[Protocol.UDP].dropped_flow_table_packets == 1
    assert len(network.mapping_rules()) == 2


@pytest.mark.parametrize(("late_reset", "alice", "server"), [("off", 0, 0), ("inside", 1, 0), ("both", 1, 1)])
def test_a_late_segment_is_reset_for_its_sender_only(late_reset: str, alice: int, server: int) -> None:
    """Alice's host and the server accept it: it carries the number that they wait for."""
    network = Network(clients=1, ports=1, late_reset=late_reset, **TIMERS)
    late = tcp(network, network.alice, 40000, SERVER, "A")
    late[TCP].ack = 77
    sent = network.send("alice", with_checksums(late))
    sent += network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:1024", "A"))

    assert [each.host for each in sent] == ["alice"] * alice + ["server"] * server
    assert all(each.packet[TCP].flags == "R" for each in sent)
    assert not sent or (sent[0].packet[TCP].seq, sent[0].packet[IP].src) == (77, "198.51.100.1")
    assert network.router.nat.counters[Protocol.TCP].late_resets_sent == alice + server
