"""What is offered on the wire, and the core's share of the very same attempts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from controller.nat.settings import NatSettings
from controller.settings import Settings
from testbed.experiment.expectations import between, met
from testbed.plan.arrivals import Arrival, Ending
from testbed.plan.erlang import engset, erlang_b
from testbed.plan.poisson import Calls
from testbed.plan.scaled import LEAST_COUNTED
from testbed.plan.simulation import TICK_S
from testbed.replay import alike
from testbed.replay.alike import AGAIN, MOST_AGAIN, refused_alike, shares_alike
from testbed.replay.figures import COUPLED, FEW, TooFewError, figure, near, require_enough
from testbed.replay.replay import Replay, ReplayParameters, _offered
from testbed.traffic.records import Attempt
from tests.support.experiments import experiment

NAT = Settings(ports=8, tcp_trans_close_timeout=0.1).for_nat()
REST = 0.6 + TICK_S
"""The time after its connection for which a port is taken."""


def attempts(times: list[tuple[float, float]]) -> list[Attempt]:
    """Return attempts that were made at these times, and answered at those."""
    nobody = ("", 0)
    return [
        Attempt(number, number, "established", "", nobody, nobody, nobody, sent, done, 0)
        for number, (sent, done) in enumerate(times, 1)
    ]


def test_sources_offer_nothing_while_their_port_is_taken_and_engset_is_met() -> None:
    """Also while it rests, when the NAT no longer has a mapping of theirs."""
    calls = Calls(erlangs=6, life=1.4, after=REST, subscribers=12, sources=12)
    offered = _offered(calls, NAT, seed=3, until=4000.0)
    lives = [arrival[2] - arrival[0] for arrival in offered]
    refused = refused_alike(NAT, offered, lives, attempts([(at, at) for at, *_ in offered]))

    share = figure("", refused)
    assert share.low <= engset(6, 8, 12) <= share.high
    assert erlang_b(6, 8) > share.high


def test_a_poisson_load_is_offered_as_it_comes_and_erlang_is_met() -> None:
    """Where a connection's port rests after it, that is part of the load."""
    calls = Calls(erlangs=6, life=1.4, after=REST, subscribers=8)
    offered = _offered(calls, NAT, seed=3, until=3000.0)
    lives = [arrival[2] - arrival[0] for arrival in offered]

    share = figure("", refused_alike(NAT, offered, lives, attempts([(at, at) for at, *_ in offered])))

    assert share.low <= erlang_b(6, 8) <= share.high
    assert len(offered) == pytest.approx(3000 * 6 / 2.0, rel=0.07)


def test_the_core_gets_the_attempts_at_the_times_at_which_they_came() -> None:
    """Nine at once find eight ports, and whichever comes last on the wire is refused there."""
    arrivals = [*itertools.islice(Calls(1, 1.0, REST, 9).arrivals(random.Random(1)), 9)]
    came = [(5.0 + (place == 3), 5.0 + (place == 3)) for place in range(9)]

    refused = refused_alike(NAT, arrivals, [60.0] * 9, attempts(came))

    assert refused == [place == 3 for place in range(9)]


def test_a_life_begins_with_the_answer() -> None:
    """A client that was answered late keeps its port for longer."""
    arrivals = [*itertools.islice(Calls(1, 1.0, REST, 9).arrivals(random.Random(1)), 9)]
    late = [(0.0, 10.0)] + [(0.0, 0.0)] * 7 + [(11.0, 11.0)]

    assert refused_alike(NAT, arrivals, [3.0, *[60.0] * 8], attempts(late))[-1]
    assert not refused_alike(NAT, arrivals, [3.0, *[60.0] * 8], attempts([(0.0, 0.0), *late[1:]]))[-1]


def shares_of(
    nat: NatSettings, arrivals: list[Arrival], lives: list[float], made: list[Attempt], *, wire: float
) -> list[float]:
    """Return the shares that the core has of attempts, all of which are counted."""
    simulated = refused_alike(nat, arrivals, lives, made)
    return shares_alike(nat, arrivals, lives, made, [True] * len(made), simulated, wire=wire)


def test_the_core_tells_how_exact_a_comparison_can_be() -> None:
    """Moved by milliseconds, other attempts are refused; what has ports for all is sure."""
    arrivals = [*itertools.islice(Calls(20, 1.4, REST, 9).arrivals(random.Random(1)), 600)]
    lives = [arrival[2] - arrival[0] for arrival in arrivals]
    made = attempts([(at, at) for at, *_ in arrivals])

    scarce = shares_of(NAT, arrivals, lives, made, wire=0.6)
    plenty = shares_of(Settings(ports=600).for_nat(), arrivals, lives, made, wire=0.0)

    assert len(scarce) == 1 + AGAIN
    assert 0 < max(scarce) - min(scarce) < 0.05
    assert scarce == shares_of(NAT, arrivals, lives, made, wire=0.6)
    assert plenty == [0.0] * (1 + AGAIN)


ONE_PORT = Settings(ports=1, tcp_trans_close_timeout=0.1).for_nat()
MOST, LEAST = 100 / 102, 1 / 102
"""The shares that are refused if the second attempt finds the only port free, and if it comes too early for it."""


def shares_of_one_port(second: float, *, wire: float) -> list[float]:
    """Return the shares of two attempts and a hundred short ones: the second has the port to the end, or never."""

    def arrival(number: int, at: float, lasts: float) -> Arrival:
        source, server = Endpoint(0x0A000001, 1024 + number), Endpoint(0xC6336401, 443)
        return at, Packet(Protocol.TCP, source, server, TcpFlags.SYN), at + lasts, Ending.FIN, 0, 0

    short = [arrival(2 + number, 10.0 + 2 * number, 0.5) for number in range(100)]
    every = [arrival(0, 0.0, 1.0), arrival(1, second, 500.0), *short]
    lives = [each[2] - each[0] for each in every]
    made = attempts([(each[0], each[0]) for each in every])
    return shares_of(ONE_PORT, every, lives, made, wire=wire)


def test_a_share_that_the_core_seldom_has_is_one_that_the_wire_may_have() -> None:
    """The port is free some milliseconds before the second attempt comes; in one case of fifty after it."""
    often, seldom = (shares_of_one_port(1.655, wire=wire) for wire in (MOST, LEAST))

    assert often == [MOST] * (1 + AGAIN)
    assert (min(seldom), max(seldom)) == (LEAST, MOST)
    assert often == seldom[: len(often)]
    assert len(often) < len(seldom)


def test_a_share_that_the_core_never_has_is_none_for_the_wire() -> None:
    """The port is free for a fifth of a second before the second attempt comes."""
    assert shares_of_one_port(1.9, wire=LEAST) == [MOST] * (1 + MOST_AGAIN)


def test_the_core_is_not_asked_for_long_where_attempts_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """But as often as at any time."""
    monkeypatch.setattr(alike, "MOST_MOVED", 20 * 102)
    assert len(shares_of_one_port(1.9, wire=LEAST)) == 21
    monkeypatch.setattr(alike, "MOST_MOVED", 102)
    assert len(shares_of_one_port(1.9, wire=LEAST)) == 1 + AGAIN


@pytest.mark.parametrize("slow", [lambda place: 0.09, lambda place: 0.7 * (place % 5 == 0)], ids=["all", "some"])
def test_a_nat_that_answers_late_may_not_refuse_more_for_it(slow: Callable[[int], float]) -> None:
    """The core keeps no port for longer than the clients of the wire did."""
    arrivals = [*itertools.islice(Calls(20, 1.4, REST, 9).arrivals(random.Random(1)), 1200)]
    lives = [arrival[2] - arrival[0] for arrival in arrivals]
    made = attempts([(each[0], each[0] + slow(place)) for place, each in enumerate(arrivals)])

    nat = Settings(ports=16, tcp_trans_close_timeout=0.1).for_nat()
    unmoved, *moved = shares_of(nat, arrivals, lives, made, wire=1.0)

    assert 0.2 < unmoved < 0.4
    assert max(moved) < unmoved + COUPLED


def test_the_wire_may_be_near_any_of_the_shares_of_the_core() -> None:
    """By a percent and three attempts."""
    few = COUPLED + FEW / 1000
    assert near([0.3, 0.32, 0.31], 1000) == between(round(0.3 - few, 4), round(0.32 + few, 4))
    assert near([0.0], 1000) == between(0.0, round(few, 4))
    assert near([0.999], 1000) == between(round(0.999 - few, 4), 1.0)


def test_the_fewest_attempts_that_are_counted_show_a_fault_of_a_fifth() -> None:
    """With fewer, a check could hold whatever the wire does."""
    require_enough(LEAST_COUNTED)
    assert not met(near([0.0], LEAST_COUNTED), 0.2)
    with pytest.raises(TooFewError, match=r"^15 attempts would be counted, .* 16 show nothing; take a plan"):
        require_enough(LEAST_COUNTED - 1)


def test_calls_that_hardly_come_are_not_made() -> None:
    """Before there is a server: this lab has none."""
    x, _ = experiment(parameters=ReplayParameters(erlangs=0.01))

    with pytest.raises(TooFewError, match="or a greater measured"):
        Replay().run(x)
