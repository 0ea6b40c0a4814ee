"""Ports by arithmetic: each subscriber has its block, and the log is one line."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from controller.nat.model import Endpoint, Packet, Protocol
from controller.nat.translator import Nat
from controller.nat.verdicts import Refuse, Translate
from controller.settings import ConfigurationError, Settings
from testbed.plan.carrier import of_subscribers
from testbed.plan.chosen import chosen_from
from testbed.plan.deterministic import assignment, strategies
from testbed.plan.workload import FIRST_INSIDE
from tests.support.plans import QUICK

SERVER = Endpoint.parse("198.51.100.1:53")
SETTINGS = Settings(ports=64, external_addresses=3)


def test_every_port_leads_back_to_its_subscriber_by_the_inverse() -> None:
    """Ten subscribers fill their blocks over three addresses: no two share a port, and none gets one more."""
    assigned = assignment(SETTINGS, 10, 16)
    allocator, pooling = strategies(assigned)
    nat = Nat(replace(SETTINGS.for_nat(), allocator=allocator, pooling=pooling), random.Random(1))
    given: set[Endpoint] = set()
    for subscriber in range(FIRST_INSIDE, FIRST_INSIDE + 10):
        for number in range(16):
            verdict = nat.outbound(Packet(Protocol.UDP, Endpoint(subscriber, 4000 + number), SERVER), 0.0)
            assert isinstance(verdict, Translate)
            external = verdict.mapping.external
            address, port = str(external).split(":")
            assert assigned.subscriber_of(address, int(port)) == str(verdict.mapping.internal).split(":")[0]
            given.add(external)
        assert isinstance(nat.outbound(Packet(Protocol.UDP, Endpoint(subscriber, 5000), SERVER), 0.0), Refuse)

    assert len(given) == 160
    nat.flush(1.0)
    nat.due(2.0)
    nat.due(1000.0)
    assert nat.pool.usage(Protocol.UDP).free == 3 * 64


def test_blocks_of_their_own_refuse_more_than_a_shared_pool() -> None:
    """Of the same ports, since what one does not need is of no use to another."""
    given = {**QUICK, "subscribers": 63, "duration": 60.0, "warm_up": 60.0, "heavy": 0.0, "ports": 1600}
    own = of_subscribers(chosen_from({**given, "block_of_each": 25}, "plain", 1))
    pool = of_subscribers(chosen_from(given, "plain", 1))

    assert own["offered"] == pool["offered"]
    assert own["refused"] > 2 * pool["refused"]
    assert any("for good" in sentence for sentence in own["differences"])


@pytest.mark.parametrize(
    ("settings", "size", "message"),
    [
        (Settings(ports=64), 16, "these have 4 blocks; take external_addresses=3, or smaller blocks"),
        (Settings(ports=64), 65, "block_of_each=65 is not possible with ports=64: take at most 64"),
        (Settings(ports=["1024-1055", "2048-2079"]), 4, "several ranges of ports"),
    ],
)
def test_an_assignment_without_room_is_refused(settings: Settings, size: int, message: str) -> None:
    """With the numbers, and the way out."""
    with pytest.raises(ConfigurationError, match=message):
        assignment(settings, 10, size)


def test_the_way_out_is_one() -> None:
    """The number of addresses that the refusal names is enough, and one fewer is not."""
    assert assignment(Settings(ports=64, external_addresses=3), 10, 16).room >= 10
    with pytest.raises(ConfigurationError):
        assignment(Settings(ports=64, external_addresses=2), 10, 16)
