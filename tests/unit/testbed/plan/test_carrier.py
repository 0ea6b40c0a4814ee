"""The plan of a carrier: refusals by class and destination, the formulas beside them, and the price of timers."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.plan.carrier import of_subscribers
from testbed.plan.chosen import chosen_from
from testbed.plan.erlang import erlang_b
from testbed.plan.theory import Offered, models
from tests.support.plans import QUICK


def plan(profile: str = "plain", **given: Any) -> dict[str, Any]:
    """Return the plan of a few subscribers whose NAT has short timers."""
    usual = {"subscribers": 60, "duration": 200.0, "heavy": 0.0}
    return of_subscribers(chosen_from({**QUICK, **usual, **given}, profile, 1))


def test_the_load_in_erlangs_is_the_ports_that_are_in_use() -> None:
    """If none is refused: the formulas and the simulation count the same."""
    found = plan(duration=600.0)
    used = sum(each["mean"] for each in found["ports"].values())

    assert found["refused"] == 0
    assert used == pytest.approx(found["theory"][0]["erlangs"], rel=0.1)


def test_a_pool_that_is_too_small_refuses_about_what_the_formulas_say() -> None:
    """With bursts a little more than Erlang B."""
    found = plan(ports=1100, duration=600.0)

    assert found["refused_share"] == pytest.approx(found["erlang_b"], abs=0.04)
    assert [each["model"] for each in found["theory"]] == ["Erlang B", "Hayward (bursts)"]
    assert found["theory"][1]["refused_share"] > found["erlang_b"]


def test_a_quota_refuses_heavy_subscribers_and_no_others() -> None:
    """Each class has its own share, and the formula of its quota."""
    found = plan(heavy=0.1, light=0.3, port_quota=300)
    shares = {each["name"]: each["refused_share"] for each in found["classes"]}
    formulas = {each["model"]: each["refused_share"] for each in found["theory"]}

    assert shares["light"] == shares["typical"] == 0
    assert shares["heavy"] > 0.5
    assert shares["heavy"] == pytest.approx(formulas["Erlang B of the quota of a heavy subscriber"], abs=0.1)
    assert shares["heavy"] == pytest.approx(formulas["Hayward of the quota of a heavy subscriber"], abs=0.1)
    assert {each["class"] for each in found["worst"]} == {"heavy"}
    assert found["limits"].keys() == {"dropped_port_limit_packets"}


def test_where_ports_overlap_the_hottest_destination_decides() -> None:
    """The resolver, to which all go, is refused; servers of which nobody is hot are not."""
    apart = plan("overlap", ports=500, duration=300.0)
    pool = plan(ports=500, duration=300.0)
    shares = {each["name"]: each["refused_share"] for each in apart["destinations"]}

    assert apart["refused_share"] < pool["refused_share"] / 2
    assert shares["resolver 192.0.2.53:53"] > 0
    assert shares["server 5"] == 0
    assert apart["theory"][0]["model"] == "Erlang B for each destination"
    assert apart["refused_share"] == pytest.approx(apart["erlang_b"], abs=0.05)


def test_the_price_of_a_timer_is_ports() -> None:
    """Halve it, and half of them come back."""
    prices = [
        {each["name"]: each["ports"] for each in plan(udp_timeout=seconds, warm_up=200.0)["timers"]}
        for seconds in (40.0, 20.0)
    ]

    assert prices[0]["udp_timeout"] == pytest.approx(2 * prices[1]["udp_timeout"], rel=0.1)
    assert prices[0]["tcp_trans_close_timeout"] == prices[1]["tcp_trans_close_timeout"]


def test_a_log_of_blocks_has_each_subscriber_once_a_day_and_one_of_mappings_all_of_them() -> None:
    """What was logged in the warm-up is not multiplied, and not forgotten."""
    blocks = plan(port_allocation_type="blocks", port_set_size=512, port_set_timeout=100_000.0)["log"]
    single = plan()["log"]

    assert blocks["blocks"]["lines"] == 2 * 60
    assert single["blocks"] is None
    assert single["mappings"]["lines"] > 1000 * blocks["blocks"]["lines"]
    assert 50 < single["mappings"]["bytes"] / single["mappings"]["lines"] < 70


def test_offered_and_refused_add_up_in_every_table() -> None:
    """Whatever the table is about."""
    found = plan(ports=600, destinations=100)

    for rows in (found["classes"], found["destinations"]):
        assert sum(each["offered"] for each in rows) == found["offered"]
        assert sum(each["refused"] for each in rows) == found["refused"] > 0
    assert sum(found["limits"].values()) == found["refused"]


def test_the_same_attempts_meet_every_nat() -> None:
    """Common random numbers: what is compared differs by the NAT alone."""
    assert plan(ports=400)["offered"] == plan(ports=4000, port_allocation_type="blocks")["offered"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"light": 0.7, "heavy": 0.4}, "light=0.7 is not possible with heavy=0.4"),
        ({"subscriber": 3}, "'subscriber' is unknown: did you mean 'subscribers'"),
        ({"subscribers": 0}, "subscribers=0 is not possible"),
        ({"ports": 0}, "ports=0 is not possible"),
    ],
)
def test_what_is_impossible_is_refused_with_a_sentence(given: dict[str, Any], message: str) -> None:
    """With the key, the value and the way out."""
    with pytest.raises(ConfigurationError, match=message):
        plan(**given)


def test_an_unknown_profile_is_refused() -> None:
    """With the one that may have been meant."""
    with pytest.raises(ConfigurationError, match="profile 'cgm' is unknown: did you mean 'cgn'"):
        chosen_from({}, "cgm", 1)


@pytest.mark.deep
@pytest.mark.parametrize(("quota", "typical"), [(1000, (0.0, 0.0)), (400, (0.005, 0.05))], ids=["1000", "400"])
def test_a_thousand_ports_are_transparent_and_400_are_enough_for_most(
    quota: int, typical: tuple[float, float]
) -> None:
    """Fourcot et al. (ICC 2012) on their campus; here with the RFCs' timers and without torrents.

    A light subscriber is never refused with either. Of a typical one's attempts 400 ports refuse some in a
    hundred, because of bursts: Hayward's formula says so, and Erlang B does not.
    """
    given = {"port_quota": quota, "heavy": 0.0, "subscribers": 100, "external_addresses": 4}
    found = of_subscribers(chosen_from(given, "plain", 1))
    shares = {each["name"]: each["refused_share"] for each in found["classes"]}
    formulas = {each["model"]: each["refused_share"] for each in found["theory"]}

    assert shares["light"] == 0
    assert typical[0] <= shares["typical"] <= typical[1]
    assert formulas["Erlang B of the quota of a typical subscriber"] < 1e-6
    assert formulas["Hayward of the quota of a typical subscriber"] == pytest.approx(shares["typical"], abs=0.02)


def test_what_several_classes_send_to_one_destination_is_one_load() -> None:
    """All of them share the resolver's ports, and its formula takes their sum."""
    offered = [Offered("udp", rate, 100.0, 5.0, shares) for shares in ([1.0], [0.5, 0.5]) for rate in (0.4, 0.6)]
    (model,) = models(offered, 90, 1, overlap=True)

    assert model.refused_share == pytest.approx((erlang_b(100, 90) + erlang_b(50, 90)) / 2)
