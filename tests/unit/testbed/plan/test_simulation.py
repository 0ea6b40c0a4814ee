"""The core in its simulated world: what ends when, what is counted, and that nothing is kept for ever."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest

from controller.nat.events import Event, MappingReleased
from controller.nat.model import Endpoint, Limit, Packet, Protocol, TcpFlags
from controller.settings import Settings
from testbed.plan.arrivals import Arrival, Ending
from testbed.plan.simulation import Simulation
from testbed.plan.tally import Tally

SERVER = Endpoint.parse("198.51.100.1:443")
TCP, UDP = Protocol.TCP, Protocol.UDP


def attempt(
    at: float, life: float, ending: Ending = Ending.FIN, *, number: int = 0, protocol: Protocol = TCP
) -> Arrival:
    """Return an attempt of a host of its own."""
    flags = TcpFlags.SYN if protocol is TCP else TcpFlags.NONE
    packet = Packet(protocol, Endpoint(0x0A000001 + number, 40000), SERVER, flags)
    return at, packet, at + life, ending, 0, 0


class World:
    """A simulation, and when each mapping of it ended."""

    def __init__(
        self, *, rest: float = 0.5, tick: float = 0.0, reads_together: bool = False, **settings: Any
    ) -> None:
        self.tally = Tally(1, 1)
        self.released: list[float] = []
        nat = replace(Settings(**{"ports": 4, **settings}).for_nat(), rest=rest)
        self.simulation = Simulation(
            nat,
            random.Random(1),
            self.tally,
            tick=tick,
            listener=self._hear,
            is_prompt=True,
            reads_together=reads_together,
        )
        self.nat = self.simulation.nat

    def _hear(self, event: Event, now: float) -> None:
        if isinstance(event, MappingReleased):
            self.released.append(now)

    def run(self, *arrivals: Arrival, until: float) -> None:
        """Let attempts arrive, and time pass after them."""
        self.simulation.feed(arrivals)
        self.simulation.pass_time(until)

    def free(self, protocol: Protocol = TCP) -> int:
        """Return the number of free ports."""
        return self.nat.pool.usage(protocol).free


@pytest.mark.parametrize(
    ("ending", "protocol", "ends"),
    [
        (Ending.FIN, TCP, 10 + 240),
        (Ending.RESET, TCP, 10 + 240),
        (Ending.UNANSWERED, TCP, 240),
        (Ending.SILENCE, TCP, 10 + 7440 + 240),
        (Ending.SILENCE, UDP, 10 + 300),
    ],
    ids=["fin", "reset", "unanswered", "silent tcp", "silent udp"],
)
def test_a_mapping_ends_by_the_timer_of_its_ending(ending: Ending, protocol: Protocol, ends: float) -> None:
    """RFC 5382 and RFC 4787's timers, of which an idle timeout may be a quarter late for each reading."""
    world = World()
    world.run(attempt(0, 10, ending, protocol=protocol), until=20_000)

    late = {(Ending.SILENCE, TCP): 7440 / 4 + 240, (Ending.SILENCE, UDP): 300 / 4}.get((ending, protocol), 0)
    assert ends <= world.released[0] <= ends + late
    assert world.free(protocol) == 4


def test_a_connection_that_lives_for_long_keeps_its_mapping() -> None:
    """Its packets are counted, whenever the NAT asks, for longer than every timer."""
    world = World()
    world.run(attempt(0, 50_000), attempt(0, 50_000, Ending.SILENCE, number=1, protocol=UDP), until=49_999)

    assert world.released == []
    assert len(world.nat) == 2


def test_without_timers_a_port_is_free_at_the_instant_of_its_end() -> None:
    """A full NAT admits an attempt right after an ending, and none right before."""
    world = World(rest=0, ports=1, tcp_trans_close_timeout=1e-9)
    world.run(attempt(0, 10), attempt(9.999, 5, number=1), attempt(10.001, 5, number=2), until=12)

    assert world.tally.refused == 1
    assert len(world.nat) == 1


def test_with_a_tick_ends_are_seen_at_the_next_one() -> None:
    """As by a lab's controller, which looks twenty times a second."""
    exact, ticking = World(), World(tick=0.05)
    for world in (exact, ticking):
        world.run(attempt(0, 1.013), until=300)

    assert exact.released == [pytest.approx(241.013)]
    assert ticking.released == [pytest.approx(241.05)]


def test_a_full_pool_refuses_and_is_counted_by_limit_class_destination_and_subscriber() -> None:
    """Four ports for six attempts."""
    world = World()
    world.run(*(attempt(0, 10, number=number) for number in range(6)), until=1)

    assert (world.tally.offered, world.tally.refused) == (6, 2)
    assert world.tally.limits == {Limit.PORTS: 2}
    assert world.tally.refused_by == world.tally.refused_to == [2]
    assert sorted(world.tally.hit) == [0x0A000005, 0x0A000006]


def test_an_attempt_that_is_held_is_admitted_when_a_port_is_back() -> None:
    """It then lives as long as it would have."""
    world = World(ports=1, on_exhaustion="hold", hold_timeout=100, tcp_trans_close_timeout=1)
    world.run(attempt(0, 10), attempt(9, 20, number=1), until=12)
    assert (world.tally.refused, world.tally.held, len(world.nat)) == (0, 1, 1)

    world.run(until=40)
    assert len(world.nat) == 0


def test_an_attempt_that_is_held_for_too_long_is_refused() -> None:
    """With what it was held for as the reason."""
    world = World(ports=1, on_exhaustion="hold", hold_timeout=2)
    world.run(attempt(0, 10), attempt(1, 20, number=1), attempt(1, 20, number=2), until=20)

    assert (world.tally.refused, world.tally.held) == (2, 0)
    assert world.tally.limits == {Limit.PORTS: 2}


def test_evicting_admits_newcomers_and_forgets_the_evicted() -> None:
    """Whose ending comes later and means nothing."""
    world = World(ports=2, on_exhaustion="evict-lru")
    world.run(*(attempt(number, 100, number=number) for number in range(6)), until=99)
    assert (world.tally.refused, world.tally.held, len(world.nat)) == (0, 4, 2)

    world.run(until=1000)
    assert len(world.nat) == 0


def test_a_busy_source_makes_no_attempt() -> None:
    """Engset's sources have one connection each."""
    tally = Tally(1, 1)
    simulation = Simulation(Settings(ports=4).for_nat(), random.Random(1), tally, one_at_a_time=True)
    simulation.feed([attempt(0, 10), attempt(1, 10), attempt(2, 10, number=1)])

    assert tally.offered == 2


@pytest.mark.parametrize("policy", ["drop", "hold", "evict-lru"])
def test_memory_is_flat_in_time(policy: str) -> None:
    """What is kept belongs to mappings that there are, after any number that there were."""
    world = World(ports=50, on_exhaustion=policy, udp_timeout=20, tcp_trans_close_timeout=5)
    rng = random.Random(3)
    times = itertools.accumulate(rng.expovariate(10) for _ in range(5000))
    for number, at in enumerate(times):
        protocol = rng.choice([TCP, UDP])
        ending = Ending.FIN if protocol is TCP else Ending.SILENCE
        world.simulation.feed([attempt(at, rng.expovariate(0.2), ending, number=number, protocol=protocol)])

    simulation = world.simulation
    assert world.tally.offered == 5000
    assert simulation._lives.keys() == set(world.nat.flows())
    assert len(simulation._endings) < 1000
    assert len(simulation.nat.events) == 0


def test_counts_that_are_read_together_move_the_readings_of_others() -> None:
    """A reading for a connection that was reset finds no packet of a query, and begins its interval anew."""
    query, call = attempt(0.0, 0.0, Ending.SILENCE, protocol=UDP), attempt(0.1, 5.0, Ending.RESET, number=1)
    ends = {}
    for together in (False, True):
        world = World(udp_timeout=100, tcp_rst_timeout=420, reads_together=together)
        world.run(query, call, until=300.0)
        ends[together] = world.released

    assert ends[False] == [125.0]
    assert ends[True] == [pytest.approx(135.1)]


def test_flows_that_were_made_long_after_one_another_are_read_apart() -> None:
    """They are in other buckets of the gateway."""
    query = attempt(0.0, 0.0, Ending.SILENCE, protocol=UDP)
    world = World(udp_timeout=100, tcp_rst_timeout=420, reads_together=True)
    world.run(query, attempt(3.0, 2.1, Ending.RESET, number=1), until=300.0)

    assert world.released == [125.0]
