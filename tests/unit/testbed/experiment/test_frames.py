"""What is checked of single packets: by which evidence, and when a busy machine leaves it open."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from testbed.evidence.judging import HELD_S
from testbed.evidence.matching import Matched
from testbed.evidence.train import PATIENCE_S
from testbed.experiment.expectations import met
from testbed.experiment.frames import FEW_AGAIN, FEWEST, LATER, Findings, _is_excused, checks, held_s
from testbed.experiment.judgement import BEARS_S
from testbed.sandbox import slowness

pytestmark = pytest.mark.usefixtures("usual_machine")

ALL = {"frames-doubled", "frames-damaged", "frames-rewritten", "frames-lost", "frames-reordered", "frames-delayed"}
QUICK = [0.001] * 20
LATE = [HELD_S] * 20


def body(**figures: Any) -> Matched:
    """Return a body of evidence in which all is well, but for these figures."""
    return Matched(**{"sent": 20, "arrived": 20, "waits": QUICK, **figures})


def red(found: Findings) -> set[str]:
    """Return the keys of the checks that fail."""
    return {each.key for each in checks(found) if not met(each.expected, each.observed)}


def test_all_is_checked_if_there_is_a_train() -> None:
    """A sample alone shows nothing of loss and order, since a NAT may refuse packets; without both, nothing."""
    sample, both = Findings(sample=body()), Findings(sample=body(), trains=[body()])

    assert {each.key for each in checks(both)} == ALL
    assert {each.key for each in checks(Findings(trains=[body()]))} == ALL
    assert {each.key for each in checks(sample)} == {"frames-doubled", "frames-damaged", "frames-rewritten"}
    assert list(checks(Findings())) == list(checks(Findings(sample=Matched()))) == []
    assert red(both) == red(sample) == set()


@pytest.mark.parametrize(
    ("figures", "key"),
    [
        ({"lost": 1}, "lost"),
        ({"reordered": 1}, "reordered"),
        ({"waits": [*QUICK, HELD_S]}, "delayed"),
        ({"doubled": 1}, "doubled"),
        ({"damaged": 1}, "damaged"),
        ({"rewritten": Counter(TTL=1)}, "rewritten"),
    ],
    ids=["lost", "reordered", "delayed", "doubled", "damaged", "rewritten"],
)
def test_each_fault_of_a_train_has_a_check_of_its_own(figures: dict[str, Any], key: str) -> None:
    """Without any tolerance."""
    assert red(Findings(sample=body(), trains=[body(**figures)])) == {f"frames-{key}"}


@pytest.mark.parametrize(
    ("figures", "key"),
    [({"lost": 1}, "lost"), ({"reordered": 1}, "reordered"), ({"waits": LATE}, "delayed")],
    ids=["lost", "reordered", "delayed"],
)
def test_of_what_a_machine_can_cause_the_best_train_counts(figures: dict[str, Any], key: str) -> None:
    """A NAT's fault is in each; if the machine was late in each, nothing is said of it."""
    bad = body(**figures)

    assert red(Findings(trains=[bad, bad, body()])) == set()
    assert red(Findings(trains=[bad, bad, bad])) == {f"frames-{key}"}
    busy = Findings(trains=[bad, bad, bad], too_busy="this machine was too busy")
    assert {each.key for each in checks(busy)} == {"frames-doubled", "frames-damaged", "frames-rewritten"}


@pytest.mark.parametrize(
    ("figures", "lateness", "expected"),
    [
        ({"lost": 1}, PATIENCE_S / LATER, True),
        ({"lost": 1}, PATIENCE_S / LATER - 0.001, False),
        ({"reordered": 1}, HELD_S / LATER, True),
        ({"reordered": 1}, HELD_S / LATER - 0.001, False),
        ({"waits": [*QUICK, HELD_S]}, HELD_S / LATER, True),
        ({"waits": [*QUICK, HELD_S]}, HELD_S / LATER - 0.001, False),
        ({"waits": LATE}, PATIENCE_S, False),
        ({"lost": 1, "reordered": 1}, HELD_S / LATER, False),
    ],
)
def test_a_machine_excuses_what_its_own_lateness_can_cause(
    figures: dict[str, Any], lateness: float, expected: bool
) -> None:
    """A lost packet takes a longer standstill than a late one, and none delays every packet alike."""
    assert _is_excused(body(**figures), lateness) == expected


@pytest.mark.parametrize("figures", [{"doubled": 1}, {"damaged": 1}, {"rewritten": Counter(TTL=1)}])
@pytest.mark.parametrize("where", ["sample", "an earlier train"])
def test_of_what_no_machine_can_cause_the_worst_counts(figures: dict[str, Any], where: str) -> None:
    """Both bodies of evidence show it."""
    bad = body(**figures)
    found = Findings(sample=bad, trains=[body()]) if where == "sample" else Findings(trains=[bad, body(), body()])

    (key,) = red(found)
    assert key in ("frames-doubled", "frames-damaged", "frames-rewritten")


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ([HELD_S] * FEWEST, {"frames-delayed"}),
        ([*[HELD_S] * FEWEST, 0.01], set()),
        ([HELD_S] * (FEWEST - 1), set()),
    ],
    ids=["all", "all but one", "few"],
)
def test_a_sample_shows_delay_if_its_quickest_packet_was_late(waits: list[float], expected: set[str]) -> None:
    """Others may have waited for the controller on a busy machine."""
    assert red(Findings(sample=body(waits=waits), trains=[body()])) == expected


@pytest.mark.parametrize("kind", ["openings", "acceptances"])
@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ([*[HELD_S] * FEWEST, 0.01], {"frames-delayed"}),
        ([*[HELD_S] * FEWEST, *[0.01] * (FEWEST + 1)], set()),
        ([HELD_S] * (FEWEST - 1), set()),
    ],
    ids=["most", "fewer than half", "few"],
)
def test_a_sample_shows_delay_if_most_syns_were_late(waits: list[float], expected: set[str], kind: str) -> None:
    """One quick SYN acquits no other. Those that a NAT holds as it is told, or ends others for, are no fault."""
    apart = (waits, []) if kind == "openings" else ([], waits)
    sample = body(waits=[*waits, *QUICK], apart=apart, **{kind: waits})

    assert red(Findings(sample=sample, trains=[body()])) == expected
    assert red(Findings(sample=sample, trains=[body()], refuses=False)) == set()


def test_a_long_queue_delays_no_syn_apart_from_the_others() -> None:
    """A switch whose table is full has its controller forward each packet, and SYNs wait in a queue."""
    queued = [*[HELD_S] * 30, 0.01]

    assert red(Findings(sample=body(waits=queued, openings=queued), trains=[body()])) == set()


def test_a_busy_machine_may_be_why_most_syns_were_late_but_not_why_all_were() -> None:
    """Other packets wait in front of each, so the machine's lateness adds up."""
    late = [HELD_S] * FEWEST
    some = [0.01, *late]
    mostly = Findings(sample=body(waits=some, openings=some, apart=(late, [])), trains=[body()])
    surely = Findings(sample=body(waits=late), trains=[body()])

    assert {each.bears for each in checks(mostly) if each.key == "frames-delayed"} == {held_s() / 2}
    assert {each.bears for each in checks(surely) if each.key == "frames-delayed"} == {None}


@pytest.mark.parametrize(
    ("again", "segments", "expected"),
    [(FEW_AGAIN, 10, set()), (FEW_AGAIN + 1, 10, {"frames-lost"}), (10, 500, set()), (11, 500, {"frames-lost"})],
)
def test_data_that_hosts_had_to_send_again_were_lost(again: int, segments: int, expected: set[str]) -> None:
    """A few may still be under way, and a switch may have lost some. A NAT that evicts loses data by right."""
    found = Findings(sample=body(again=again, segments=segments), trains=[body()])

    assert red(found) == expected
    assert {each.bears for each in checks(found) if each.key == "frames-lost"} == {BEARS_S}
    found.lost_in_switch = again
    assert red(found) == set()
    found.lost_in_switch, found.refuses = 0, False
    assert red(found) == set()


def test_the_fields_that_were_rewritten_are_named() -> None:
    """With the number of packets of both bodies of evidence."""
    found = Findings(sample=body(rewritten=Counter(TTL=2)), trains=[body(rewritten=Counter({"TTL": 1, "TOS": 3}))])

    assert found.rewritten == "TOS (3), TTL (3)"


@pytest.mark.parametrize(("slow", "keys"), [(1.0, {"frames-delayed"}), (10.0, set())], ids=["usual", "slow"])
def test_on_a_slow_machine_a_packet_may_take_longer(
    monkeypatch: pytest.MonkeyPatch, slow: float, keys: set[str]
) -> None:
    """As many times as everything there takes longer."""
    monkeypatch.setattr(slowness, "slowness", lambda: slow)

    assert red(Findings(trains=[body(waits=[*QUICK, 5 * HELD_S])])) == keys


@pytest.mark.parametrize(("slow", "bears"), [(1.0, None), (10.0, 5 * HELD_S)], ids=["usual", "slow"])
def test_on_a_slow_machine_a_controller_may_be_late_with_all_that_begins(
    monkeypatch: pytest.MonkeyPatch, slow: float, bears: float | None
) -> None:
    """So that is no certainty there, and a train's packets remain one."""
    monkeypatch.setattr(slowness, "slowness", lambda: slow)
    late = [20 * HELD_S] * FEWEST
    of_all = checks(Findings(sample=body(waits=late), trains=[body()]))
    of_train = checks(Findings(trains=[body(waits=late)]))

    assert {(each.observed, each.bears) for each in of_all if each.key == "frames-delayed"} == {(FEWEST, bears)}
    assert {(each.observed, each.bears) for each in of_train if each.key == "frames-delayed"} == {(FEWEST, None)}
