"""Ports by their state at each external address: the sums agree with what was given and taken back."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.model import EndedBy, Endpoint, Protocol
from controller.nat.pool import Pool, Usage
from controller.nat.subscribers import Subscriber
from controller.settings import Settings

PORTS = 4
ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
SHORT = {"hold_down_timeout": 3, "filtering_type": "eif", "hold_down_max": 3}
STEPS = st.lists(st.sampled_from(["give", "give", "take", "wait"]), max_size=60)


@pytest.mark.parametrize("addresses", [ADDRESSES, ADDRESSES[:1]], ids=["three addresses", "one address"])
@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
@given(steps=STEPS, seed=st.integers(0, 9))
def test_each_port_of_each_address_is_in_one_state(
    addresses: list[str], protocol: Protocol, steps: list[str], seed: int
) -> None:
    """A UDP port is held down after its rest, and a TCP port is not."""
    settings: dict[str, Any] = {"ports": PORTS, "external_addresses": addresses, **SHORT}
    pool = Pool(Settings.model_validate(settings).for_nat(), random.Random(seed))
    given_out: list[Endpoint] = []
    remote, now = Endpoint(99, 7), 0.0
    for place, step in enumerate(steps):
        now += 0.2
        if step == "give":
            internal = Endpoint(10 + place, 1000)
            external = pool.allocate(protocol, Subscriber(internal.address), internal, remote, now)
            given_out += [external] if isinstance(external, Endpoint) else []
        elif step == "take" and given_out:
            ended_by = None if place % 3 == 0 else EndedBy.OTHER
            pool.release(
                protocol,
                given_out.pop(place % len(given_out)),
                remote,
                now,
                ended_by=ended_by,
            )
        elif step == "wait":
            list(pool.reclaim(now))

    usages = dict(pool.usages(protocol))
    in_use = Counter(external.address for external in given_out)
    assert {address: usage.allocated for address, usage in usages.items()} == {a: in_use[a] for a in usages}
    for usage in usages.values():
        assert usage.allocated + usage.free + usage.resting + usage.held_down == PORTS
        assert min(usage.free, usage.resting, usage.held_down) >= 0
    assert pool.usage(protocol) == sum(usages.values(), Usage())
    assert protocol is Protocol.UDP or pool.usage(protocol).held_down == 0
    list(pool.reclaim(now + 100))
    assert pool.usage(protocol) == Usage(len(given_out), PORTS * len(addresses) - len(given_out), 0, 0)
