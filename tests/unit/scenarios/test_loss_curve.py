"""The source ports that loss-curve draws and counts, and what it refuses before anything starts."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError, checked
from scenarios.loss_curve import CurveParameters
from scenarios.shared.models.source_ports import draw, kept
from testbed.run.choices import Choices
from testbed.run.resolve import resolve


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
    drawn = draw(clients=2, attempts=8, ports=range(5000, 5004), seed=1)

    assert [client for client, _ in drawn] == [0, 1, 0, 1, 0, 1, 0, 1]
    assert set(drawn) == {(client, port) for client in (0, 1) for port in range(5000, 5004)}


def test_the_seed_repeats_the_draw() -> None:
    """Another seed draws other pairs."""
    first, again, other = (draw(clients=8, attempts=100, ports=range(5000, 9000), seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_a_source_port_counts_as_kept_only_where_it_could_be_given() -> None:
    """It could not to a refused attempt, outside of the range, or when an earlier attempt had got it."""
    own = [10, 11, 12, 99, 13, 10]
    given = [10, 13, None, 14, 15, 16]

    assert kept(own, given, range(10, 20)) == [True, False]


def refusal(*sets: str) -> str:
    """Return the sentence by which a run is refused."""
    with pytest.raises(ConfigurationError) as refused:
        resolve("loss-curve", "openflow", Choices(sets=list(sets)), datapath="userspace")
    return str(refused.value)


def test_too_few_source_ports_are_refused() -> None:
    """The sentence names the number of clients that it takes."""
    told = refusal("clients=2", "client_port_range=1-10", "ports=32", "port_set_size=1")

    assert told.startswith("parameter clients=2 is not possible with loss-curve: with attempts=36, ")
    assert told.endswith("take clients=4, or fewer attempts")


@pytest.mark.parametrize(
    ("setting", "way_out"),
    [
        ("on_exhaustion=evict-lru", "on_exhaustion=drop, icmp or reset"),
        ("on_exhaustion=hold", "on_exhaustion=drop, icmp or reset"),
        ("limit_sessions=16", "limit_sessions=65 or more, or limit_sessions=null"),
        ("limit_subscribers=2", "limit_subscribers=8 or more, or limit_subscribers=null"),
        ("external_addresses=2", "external_addresses=1"),
    ],
    ids=["evicts", "holds", "sessions", "subscribers", "addresses"],
)
def test_settings_that_would_refuse_for_other_reasons_are_refused(setting: str, way_out: str) -> None:
    """Only the ports of one address may run short, and for good."""
    told = refusal("ports=64", setting)

    assert told.startswith(f"setting {setting} is not possible with loss-curve: ")
    assert told.endswith(f"take {way_out}")
