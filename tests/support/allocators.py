"""What tests of port allocators share: hosts, plans, scripted chance, and the memory that an allocator takes."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections.abc import Callable, Iterator

from controller.nat.model import Endpoint
from controller.nat.port_set import Ports
from controller.nat.strategies.allocators import Allocator, PortPlan
from tests.support.paths import ROOT

ALICE = Endpoint.parse("10.0.0.1:40000")
BOB = Endpoint.parse("10.0.0.2:40000")
CAROL = Endpoint.parse("10.0.0.3:40000")

ALL_PORTS = range(1024, 65_536)
CORE = str(ROOT / "controller" / "nat" / "*")


def plan(ports: Ports, seed: int = 1, block: int = 4, timeout: float = 60.0) -> PortPlan:
    """What an allocator is told; blocks are small."""
    return PortPlan(ports, random.Random(seed), port_set_size=block, port_set_timeout=timeout)


def alice(port: int) -> Endpoint:
    """An internal endpoint of Alice's."""
    return Endpoint(ALICE.address, port)


def measured(make: Callable[[], Allocator]) -> tuple[Allocator, int]:
    """Return an allocator and the bytes that the core allocated for it; other threads may allocate meanwhile."""
    tracemalloc.start()
    try:
        made = make()
        kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, CORE)])
        return made, sum(trace.size for trace in kept.traces)
    finally:
        tracemalloc.stop()


class ScriptedRandom(random.Random):
    """A generator that gives the numbers that it was told, and counts how often it is asked."""

    draws = 0
    numbers: Iterator[float] = itertools.repeat(0.0)

    def random(self) -> float:
        """Draw, and count."""
        self.draws += 1
        return next(self.numbers)


def scripted(allocator: type[Allocator], ports: range) -> tuple[Allocator, ScriptedRandom]:
    """Return an allocator and its generator."""
    rng = ScriptedRandom()
    return allocator(PortPlan(ports, rng, port_set_size=4, port_set_timeout=60.0)), rng
