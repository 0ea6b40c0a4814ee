"""What loss-curve draws, and what it refuses before anything starts."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError, Settings, checked
from scenarios.loss_curve import CurveParameters, LossCurve, draw
from topologies.gateways.base import Options
from topologies.gateways.openflow.gateway import OpenFlowGateway


def parameters(**values: object) -> CurveParameters:
    """Parameters as a user gives them."""
    return checked(CurveParameters, values, kind="parameter")


@pytest.mark.parametrize("text", ["60999-32768", "0-10", "1-65536", "32768", "a-b", "1-2-3"])
def test_a_range_that_is_none_is_refused_with_a_sentence(text: str) -> None:
    """The sentence names the key and the form."""
    with pytest.raises(
        ConfigurationError, match=r"client_port_range=.* is not possible: it should be like 32768-60999"
    ):
        parameters(client_port_range=text)


def test_no_pair_of_client_and_source_port_is_drawn_twice() -> None:
    """Clients take turns, and use up their ranges."""
    drawn = draw(parameters(clients=2, client_port_range="5000-5003", attempts=8), seed=1)

    assert [client for client, _ in drawn] == [0, 1, 0, 1, 0, 1, 0, 1]
    assert set(drawn) == {(client, port) for client in (0, 1) for port in range(5000, 5004)}


def test_the_seed_repeats_the_draw() -> None:
    """Another seed draws other pairs."""
    given = parameters(attempts=100)

    assert draw(given, seed=1) == draw(given, seed=1)
    assert draw(given, seed=1) != draw(given, seed=2)


def test_too_few_source_ports_are_refused() -> None:
    """The sentence says how many clients it takes."""
    with pytest.raises(ConfigurationError, match=r"clients=2 is not possible with attempts=36: .* take clients=4"):
        LossCurve.complete(parameters(clients=2, client_port_range="1-10"), Settings(ports=32))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"on_exhaustion": "evict-lru"}, "on_exhaustion=evict-lru is not possible with loss-curve"),
        ({"on_exhaustion": "hold"}, "on_exhaustion=hold is not possible with loss-curve"),
        ({"limit_sessions": 16}, "only 16 mappings are allowed"),
        ({"limit_subscribers": 2}, "limit_subscribers=2 is not possible"),
        ({"external_addresses": 2}, "external_addresses=2 is not possible"),
    ],
    ids=["evicts", "holds", "sessions", "subscribers", "addresses"],
)
def test_settings_that_would_refuse_for_other_reasons_are_refused(
    settings: dict[str, object], sentence: str
) -> None:
    """Only the ports of one address may run short, and for good."""
    chosen = checked(Settings, {"ports": 64, **settings}, kind="setting")
    with pytest.raises(ConfigurationError, match=sentence):
        LossCurve.check(parameters(), chosen, OpenFlowGateway.declare(chosen, Options()))
