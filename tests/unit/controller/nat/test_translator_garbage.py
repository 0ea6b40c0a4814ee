"""What the NAT lets go of goes at once: nothing waits for the cyclic garbage collector, which seldom comes."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from controller.nat.model import TCP, Endpoint, Protocol, Side
from controller.nat.strategies.exhaustion import POLICIES
from tests.support.core import FIN, MIRROR, RST, SERVER, Bench, first_packet

HOSTS = [Endpoint(0x0A000001 + number, 40000) for number in range(20)]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let garbage lie where it falls."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("protocol", Protocol, ids=lambda protocol: protocol.name.lower())
def test_what_ends_is_in_no_cycle(protocol: Protocol, policy: str) -> None:
    """A mapping may be closed, idle, evicted, rolled back or refused, or its packet may tire of waiting."""
    bench = Bench(ports=8, on_exhaustion=POLICIES[policy])
    for number, host in enumerate(HOSTS):
        bench.outbound(protocol, host, SERVER, first_packet(protocol))
        mapping = bench.mapping(protocol, host)
        if mapping is not None and protocol is TCP:
            bench.outbound(protocol, host, MIRROR, first_packet(protocol))
            bench.copy(mapping, Side.INSIDE, FIN if number % 2 else RST)
            bench.copy(mapping, Side.OUTSIDE, FIN)
        if mapping is not None and number % 3 == 0:
            bench.roll_back(mapping)
        del mapping
    bench.sleep(100)
    assert not len(bench.nat)
    bench.log.clear()
    assert gc.collect() == 0
