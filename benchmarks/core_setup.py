"""What one mapping costs the NAT's core: microseconds and bytes, for each allocator and several sizes.

    python benchmarks/core_setup.py [tcp|udp]

Nothing but the core: no frame, no switch. Each cell is the median of five fills of a new NAT, whose rows are
interleaved; a fill's time is its CPU time. Bytes are those that Python allocated for the whole fill, by the
mapping, events taken as they come.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
import tracemalloc

from controller.configuration import Settings
from controller.nat.allocators import ALLOCATORS
from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags, Translate
from controller.nat.translator import Nat

SIZES = (1_000, 8_000, 64_512)
REPETITIONS = 5
SERVER = Endpoint(0xC6336401, 7)
CLIENTS = 8
BATCH = 1_000


def packets(count: int, protocol: Protocol) -> list[Packet]:
    """First packets of flows from a few clients, as a real fill has them."""
    flags = TcpFlags.SYN if protocol is Protocol.TCP else TcpFlags.NONE
    return [
        Packet(protocol, Endpoint(0x0A000001 + number % CLIENTS, 1024 + number // CLIENTS), SERVER, flags)
        for number in range(count)
    ]


def fill(allocator: str, flows: list[Packet]) -> Nat:
    """Make a NAT of as many ports as there are flows, and let all be mapped."""
    # A block for 16 ports: no client leaves a block unused that another would need.
    nat = Nat(
        Settings(ports=len(flows), port_allocation_type=allocator, port_set_size=8).for_nat(), random.Random(1)
    )
    for packet in flows:
        nat.outbound(packet, 0.0)
        nat.events.clear()
    return nat


def microseconds(allocator: str, count: int, protocol: Protocol) -> float:
    """Time one fill; return microseconds for each mapping."""
    flows = packets(count, protocol)
    gc.collect()
    started = time.process_time()
    nat = fill(allocator, flows)
    seconds = time.process_time() - started
    return seconds / len(nat) * 1e6


def size(allocator: str, count: int, protocol: Protocol) -> float:
    """Return the bytes for each mapping, what came in by the packets included."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    flows = packets(count, protocol)
    nat = fill(allocator, flows)
    mappings = len(nat)
    del flows
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(nat.outbound(packets(1, protocol)[0], 0.0), Translate)
    return (after - before) / mappings


def main() -> None:
    """Print a table."""
    protocol = Protocol[sys.argv[1].upper()] if len(sys.argv) > 1 else Protocol.UDP
    cells: dict[tuple[str, int], list[float]] = {(name, count): [] for name in ALLOCATORS for count in SIZES}
    for _ in range(REPETITIONS):
        for (allocator, count), times in cells.items():
            times.append(microseconds(allocator, count, protocol))
    print(f"{protocol.name}: microseconds for each mapping; bytes at {SIZES[-1]:,}")
    print(f"{'allocator':14}" + "".join(f"{count:>10,}" for count in SIZES) + f"{'bytes':>10}")
    for allocator in ALLOCATORS:
        row = "".join(f"{statistics.median(cells[allocator, count]):10.1f}" for count in SIZES)
        print(f"{allocator:14}{row}{size(allocator, SIZES[-1], protocol):10.0f}")


if __name__ == "__main__":
    main()
