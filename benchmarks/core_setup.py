"""The cost of the NAT's core: microseconds for each thing that it does, and bytes for each mapping.

    python benchmarks/core_setup.py [tcp|udp]

It measures nothing but the core: no frame and no switch. Garbage is collected as in the controller. Each cell is
the median of five runs, whose rows are interleaved. Times are CPU times. Events are taken as they come. Rows named
after an allocator are the set-up of a flow (a mapping is made with it). Their bytes are those that Python
allocated for the whole fill, for each mapping. The other rows:

    known        a packet of a known flow: a datagram, or the same SYN again
    release      the end of a flow until its port is free: by its idle timeout, or by a FIN each way
    evict, fill  a set-up while the order of last use is kept, and no mapping is evicted
    evict, full  a set-up for which another mapping is evicted, with its wait for the port
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from controller.nat.events import Resumed
from controller.nat.model import Endpoint, Packet, Protocol, Side, TcpFlags
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.translator import Nat
from controller.nat.verdicts import Hold, Translate
from controller.process.garbage import collect_seldom
from controller.settings import Settings

SIZES = (1_000, 8_000, 64_512)
REPETITIONS = 5
SERVER = Endpoint(0xC6336401, 7)
CLIENTS = 8
FILL_S = 5.0
"""Seconds that a fill takes on the NAT's own clock, where that matters."""
TICK_S = 0.05

Cost = Callable[[int, Protocol], dict[str, float]]


def packets(count: int, protocol: Protocol, *, first: int = 0) -> list[Packet]:
    """Return the first packets of `count` flows from a few clients, as in a real fill."""
    flags = TcpFlags.SYN if protocol is Protocol.TCP else TcpFlags.NONE
    return [
        Packet(protocol, Endpoint(0x0A000001 + number % CLIENTS, 1024 + number // CLIENTS), SERVER, flags)
        for number in range(first, first + count)
    ]


def new_nat(count: int, **settings: Any) -> Nat:
    """Return a NAT with `count` ports, in blocks so small that clients leave few ports of their blocks unused."""
    keys = Settings(ports=count, port_set_size=8, hold_queue=count, hold_down_timeout=0, **settings)
    return Nat(keys.for_nat(), random.Random(1))


def fill(nat: Nat, flows: list[Packet]) -> None:
    """Make a mapping for each of these packets."""
    for packet in flows:
        nat.outbound(packet, 0.0)
        nat.events.clear()


@contextmanager
def timed(cells: dict[str, float], name: str, count: int) -> Iterator[None]:
    """Note the cost of the `with` block, in microseconds for each of `count` actions."""
    gc.collect()
    started = time.process_time()
    yield
    cells[name] = (time.process_time() - started) / count * 1e6


def set_up(count: int, protocol: Protocol) -> dict[str, float]:
    """Return the cost of a flow's set-up with each allocator, by filling a NAT."""
    flows = packets(count, protocol)
    cells: dict[str, float] = {}
    for allocator in ALLOCATORS:
        nat = new_nat(count, port_allocation_type=allocator)
        with timed(cells, allocator, count):
            fill(nat, flows)
        cells[allocator] *= count / len(nat)  # not every allocator finds every port
    return cells


def known_and_released(count: int, protocol: Protocol) -> dict[str, float]:
    """Return the costs of a known flow's packet, and of a flow's end."""
    cells: dict[str, float] = {}
    flows, nat = packets(count, protocol), new_nat(count)
    fill(nat, flows)
    with timed(cells, "known", count):
        for packet in flows:
            nat.outbound(packet, 1.0)
    closing = [segment for packet in flows for segment in _fins(nat, packet)] if protocol is Protocol.TCP else []
    idle_since = 1_000.0
    with timed(cells, "release", count):
        for side, segment in closing:
            nat.observe(side, segment, 2.0)
        examine = nat.due(idle_since)
        nat.examined([(flow, 0, 0) for flow in examine], idle_since)
        nat.events.clear()
        nat.due(idle_since + 1.0)
    assert not len(nat)
    assert nat.pool.usage(protocol).free == count
    return cells


def _fins(nat: Nat, packet: Packet) -> Iterator[tuple[Side, Packet]]:
    flow = nat.outbound_flow(packet.protocol, packet.source, packet.destination)
    assert flow is not None
    flags = TcpFlags.FIN | TcpFlags.ACK
    yield Side.INSIDE, Packet(packet.protocol, packet.source, packet.destination, flags)
    yield Side.OUTSIDE, Packet(packet.protocol, packet.destination, flow.mapping.external, flags)


def evicted(count: int, protocol: Protocol) -> dict[str, float]:
    """Return the costs of a set-up in a NAT that evicts: while it fills, and when it is full."""
    cells: dict[str, float] = {}
    nat, flows, others = (
        new_nat(count, on_exhaustion="evict-lru"),
        packets(count, protocol),
        packets(count, protocol, first=count),
    )
    with timed(cells, "evict, fill", count):
        assert paced(nat, flows, 0.0) == (count, 0)
    with timed(cells, "evict, full", count):
        admitted, refused = paced(nat, others, FILL_S)
    assert not refused
    assert admitted >= count * 0.85  # the ports of the others are still resting
    return cells


def paced(nat: Nat, flows: list[Packet], start: float) -> tuple[int, int]:
    """Set flows up evenly, with time passing as in the controller; return the numbers admitted and refused."""
    next_tick, step, admitted, refused = start, FILL_S / len(flows), 0, 0
    for number, packet in enumerate(flows):
        now = start + number * step
        if now >= next_tick:
            next_tick = now + TICK_S
            nat.examined([(flow, 0, 0) for flow in nat.due(now)], now)
            admitted += sum(isinstance(event, Resumed) for event in nat.events)
            nat.events.clear()
        verdict = nat.outbound(packet, now)
        admitted += isinstance(verdict, Translate)
        refused += not isinstance(verdict, Translate | Hold)
        if isinstance(verdict, Translate):
            nat.events.clear()
    return admitted, refused


def size(allocator: str, count: int, protocol: Protocol) -> float:
    """Return the bytes for each mapping, with those that came from the packets."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    flows, nat = packets(count, protocol), new_nat(count, port_allocation_type=allocator)
    fill(nat, flows)
    mappings = len(nat)
    del flows
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(nat.outbound(packets(1, protocol)[0], 0.0), Translate)
    return (after - before) / mappings


def measure(costs: tuple[Cost, ...], protocol: Protocol) -> dict[str, list[float]]:
    """Return the medians of the rows that `costs` measure, by the rows' names."""
    cells: dict[str, list[list[float]]] = {}
    for repetition in range(REPETITIONS):
        for column, count in enumerate(SIZES):
            for cost in costs:
                for name, value in cost(count, protocol).items():
                    row = cells.setdefault(name, [[0.0] * REPETITIONS for _ in SIZES])
                    row[column][repetition] = value
    return {name: [statistics.median(column) for column in row] for name, row in cells.items()}


def main() -> None:
    """Measure all costs for one protocol, and print them as a table."""
    protocol = Protocol[sys.argv[1].upper()] if len(sys.argv) > 1 else Protocol.UDP
    collect_seldom()
    rows = measure((set_up, known_and_released, evicted), protocol)
    print(f"{protocol.name}: microseconds for each flow; bytes for each mapping at {SIZES[-1]:,}")
    print(f"{'set-up':14}" + "".join(f"{count:>10,}" for count in SIZES) + f"{'bytes':>10}")
    for name, row in rows.items():
        memory = f"{size(name, SIZES[-1], protocol):10.0f}" if name in ALLOCATORS else ""
        print(f"{name:14}" + "".join(f"{value:10.1f}" for value in row) + memory)


if __name__ == "__main__":
    main()
