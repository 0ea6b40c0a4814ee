"""Which failed checks a busy machine excuses, and which it never does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from testbed.evidence.busy import SAMPLE_S, Busy, Failure, LinksError, TooBusyError, Trouble, Wait

IDLE = Busy(seconds=7.0, processors=2, wanted=1.2, late_s=0.02)
STRAINED = Busy(seconds=7.0, processors=2, wanted=12.0, late_s=0.02, waited_s=SAMPLE_S)
LATE = Busy(seconds=7.0, processors=2, wanted=12.0, late_s=1.4, waited_s=2.0)
SERVED = Failure("established", bears=1.0)


def lossy(busy: Busy, lost: int = 11) -> Busy:
    """Return the same, but with some of 1,000 packets lost."""
    return replace(busy, lost={"the queue": lost, "other": 0}, packets=1000)


def slow(busy: Busy) -> Busy:
    """Return the same, but with a switch that took three seconds for an answer."""
    return replace(busy, packet_in_s=3.0)


def starved(busy: Busy, share: float = 0.63) -> Busy:
    """Return the same, but with a program that waited again and again, for a short time each."""
    return replace(busy, waits={"server": Wait(0.1, 0.1), "slirp4netns": Wait(share, 0.25, 0.02)})


@pytest.mark.parametrize(
    ("busy", "words"),
    [
        (IDLE, ""),
        (STRAINED, ""),
        (LATE, "the run's programs were late by 1.40 s"),
        (lossy(IDLE), ""),
        (lossy(STRAINED), "the machine lost 11 of 1,000 packets at the queue"),
        (slow(IDLE), ""),
        (slow(STRAINED), "the switch and the controller took 3.00 s for an answer"),
        (starved(IDLE), ""),
        (starved(STRAINED, share=0.45), ""),
        (starved(STRAINED), "slirp4netns waited for a processor for 63% of the time"),
    ],
    ids=[
        *("idle", "busy", "late", "idle and lossy", "busy and lossy", "idle and slow", "busy and slow"),
        *("idle and starved", "busy, and it keeps up", "busy and starved"),
    ],
)
def test_a_failed_check_is_excused_beyond_what_it_bears(busy: Busy, words: str) -> None:
    """Losses and slow answers count only while the machine is strained: on an idle one they are the NAT's own."""
    assert busy.excuse(SERVED) == words


def test_a_program_that_waits_beside_a_strangers_own_excuses_nothing() -> None:
    """A stranger's program can start others that do nothing but keep processors from everybody."""
    assert starved(STRAINED).excuse(SERVED, beside_strangers=True) == ""
    starved(STRAINED).require_idle_for([SERVED], beside_strangers=True)
    assert lossy(starved(STRAINED)).excuse(SERVED, beside_strangers=True).startswith("the machine lost")


@pytest.mark.parametrize(
    ("slowness", "bears", "excuse"),
    [
        (1.0, 0.0, ""),
        (10.0, 1.0, ""),
        (10.0, 0.4, "it computes 10 times as long as a usual one"),
        (25.5, 1.0, "it computes 25.5 times as long as a usual one"),
        (25.5, None, ""),
    ],
)
def test_a_slow_machine_excuses_what_it_cannot_do_in_time(
    slowness: float, bears: float | None, excuse: str
) -> None:
    """A slow one is not late, since nothing waits for a processor: each program computes longer."""
    assert replace(IDLE, slowness=slowness).excuse(Failure("timed", bears)) == excuse


def test_the_share_of_a_wait_is_compared_with_no_seconds() -> None:
    """It is the reason whatever a check can bear."""
    with pytest.raises(TooBusyError) as raised:
        starved(STRAINED).require_idle_for([SERVED])

    assert "slirp4netns waited for a processor for 63% of the time, and what failed is established;" in str(
        raised.value
    )


def test_a_few_lost_packets_excuse_nothing() -> None:
    """They are sent again. On a busy machine every run loses some."""
    assert lossy(STRAINED, lost=10).excuse(SERVED) == ""


def test_a_check_whose_own_probes_were_late_is_excused_on_any_machine() -> None:
    """The scenario measured it, and knows that the NAT had no part in it."""
    assert IDLE.excuse(Failure("port-back", bears=0.5, late=0.6)) == "its own probes were late by 0.60 s"
    assert IDLE.excuse(Failure("port-back", bears=0.5, late=0.4)) == ""


@pytest.mark.parametrize("busy", [IDLE, LATE, lossy(LATE), slow(LATE), starved(LATE)])
def test_what_no_lateness_can_cause_is_never_excused(busy: Busy) -> None:
    """What leaked has leaked."""
    assert busy.excuse(Failure("leaks", bears=None, late=9.0)) == ""


def test_no_check_bears_less_than_an_idle_machine_does() -> None:
    """A check of exact times must not be excused by a few milliseconds."""
    assert IDLE.excuse(Failure("exact", bears=0.0)) == ""


def test_a_run_without_failures_is_never_an_error() -> None:
    """Busyness alone spoils nothing: all that was to be seen was seen."""
    lossy(slow(LATE)).require_idle_for([])


def test_a_run_is_an_error_if_all_its_failures_are_excused() -> None:
    """The reason has the figures and the way out."""
    with pytest.raises(TooBusyError) as raised:
        LATE.require_idle_for([SERVED, Failure("port-back", bears=0.5)])

    reason = str(raised.value)
    assert reason.startswith("this machine was too busy for what failed: the run's programs were late by 1.40 s, ")
    assert "which is more than established (1.00 s), port-back (0.50 s) can bear" in reason
    assert "12.0 tasks wanted its 2 processors" in reason
    assert reason.endswith("run it again with less other load")


def test_one_failure_without_an_excuse_is_a_failure_of_the_run() -> None:
    """Something was seen that no busy machine can cause, whatever else failed."""
    LATE.require_idle_for([SERVED, Failure("leaks", bears=None)])


def test_the_figures_can_be_written() -> None:
    """They are rounded, and part of results.json."""
    written = json.loads(json.dumps(Busy(1.23456, waits={"controller": Wait(0.5, 0.25)}).as_json()))

    assert written["seconds"] == 1.235
    assert written["waits"] == {"controller": {"share": 0.5, "longest_s": 0.25, "mean_s": 0.0}}
    assert written["packet_in_s"] is None


LOSSY_LINKS = Trouble(round_trip_s=0.04, frames=5000, lost=50)
SLOW_LINKS = Trouble(round_trip_s=0.02, frames=5000)


@pytest.mark.parametrize(
    ("links", "failure", "words"),
    [
        (LOSSY_LINKS, SERVED, "the links lost 50 of 5,000 frames"),
        (SLOW_LINKS, Failure("timed", bears=0.1), "10 round trips took up to 0.20 s on the links"),
    ],
)
def test_what_links_did_as_they_were_set_is_no_nat_s_fault(links: Trouble, failure: Failure, words: str) -> None:
    """The run has no verdict then, and the reason names what was set, and not the machine."""
    with pytest.raises(LinksError, match=words):
        IDLE.require_idle_for([failure], links)


@pytest.mark.parametrize(
    ("links", "failure"),
    [
        (LOSSY_LINKS, Failure("leaks", bears=None)),
        (SLOW_LINKS, SERVED),
        (Trouble(), SERVED),
    ],
    ids=["leaks", "delay that the check bears", "no links"],
)
def test_links_excuse_nothing_that_they_cannot_cause(links: Trouble, failure: Failure) -> None:
    """A lost frame leaks nothing, and ten round trips of 0.02 s are no second."""
    IDLE.require_idle_for([failure], links)


def test_machine_and_links_may_share_the_blame() -> None:
    """Each failure needs an excuse of its own, of one kind or the other."""
    with pytest.raises(LinksError):
        LATE.require_idle_for([SERVED, Failure("timed", bears=0.1)], SLOW_LINKS)
    LATE.require_idle_for([SERVED, Failure("leaks", bears=None)], LOSSY_LINKS)
