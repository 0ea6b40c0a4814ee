"""The requirements of lab 3, each tried by a NAT on the bench that asks a student's policy what to do.

The NAT and its clock are in this process, and only `decide` is the submission's. So a policy can do no more than
decide. Each function here is one requirement. It raises WrongError with what it saw, or returns what it saw if
that was right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from controller.nat.model import TCP, Answer, Endpoint, Limit, Mapping, Packet
from controller.nat.strategies.exhaustion.policy import Shortage
from testbed.labs.policy_trial import PATIENCE_S, SERVER, Trial
from testbed.labs.simulated import ANSWERS, Went
from testbed.labs.submission import Submission
from testbed.labs.trial import Socket
from testbed.labs.variants import Variant

EVICTED_WITHIN_S = 1.0
"""The seconds after which a newcomer has the port of a mapping that was ended for it: its rest is half of one."""
RATE = 4
"""Mappings that a subscriber may make in a second."""
NEWCOMERS, FIRST_NEWCOMER = 6, 1000
OTHERS = {
    Limit.SUBSCRIBERS: "limit_subscribers",
    Limit.MAPPINGS: "limit_port_mappings",
    Limit.SESSIONS: "limit_sessions",
}
"""Limits of all subscribers together, at which the fallback counts, with the settings that make them short."""
FALLBACKS = (Answer.RESET, Answer.NOTHING, Answer.ICMP)


@dataclass(frozen=True)
class Tried:
    """What a requirement is tried with: a submission, a student's numbers, and a seed."""

    submission: Submission
    variant: Variant
    seed: int

    @cached_property
    def rng(self) -> random.Random:
        """A generator for what the grading draws."""
        return random.Random(self.seed)

    @property
    def share(self) -> int:
        """The mappings that nobody loses."""
        return self.variant["share"]

    def trial(self, fallback: Answer = Answer.NOTHING, **settings: Any) -> Trial:
        """Make a NAT with the student's policy and ports."""
        return Trial(self.submission, {"ports": self.variant["ports"], **settings}, fallback, self.seed % 2**32)


def decides(tried: Tried) -> str:
    """Ask once at each limit."""
    limits = [*Limit]
    for limit in limits:
        trial = tried.trial()
        packet = Packet(TCP, Endpoint(Socket(0, 0).address, Socket(0, 0).port), SERVER)
        trial.decide(Shortage(packet, limit, iter(()), Answer.NOTHING))
    return f"a decision at each of {len(limits)} limits"


def fallback(tried: Tried) -> str:
    """Reach limits of all subscribers together, with each fallback."""
    for limit in OTHERS:
        for answer in FALLBACKS:
            trial = tried.trial(answer, **{OTHERS[limit]: 3})
            trial.fill(dict.fromkeys(range(3), 1))
            went, expected = trial.send(Socket(3, 0)), ANSWERS[answer]
            if went is not expected or trial.lost:
                what = _said(went) + ", and a mapping ended" * bool(trial.lost)
                raise trial.wrong(f"at {limit.name} with the fallback {answer.name}, {what}", expected)
    return f"the fallback at {', '.join(limit.name for limit in OTHERS)}"


def quota_refused(tried: Tried) -> str:
    """Have a subscriber ask for more than its quota, below and above its share."""
    for quota in (tried.share - 2, tried.share + 3):
        trial = tried.trial(port_quota=quota)
        trial.fill({0: quota, 1: 1})
        for number in range(quota, quota + 3):
            went = trial.send(Socket(0, number))
            if went is not Went.ICMP:
                raise trial.wrong(f"beyond its quota of {quota} a subscriber got {_said(went)}", "icmp")
            if trial.lost:
                raise trial.wrong(f"{trial.lost[0].internal} lost its mapping to the quota", "that all stay")
    return "icmp beyond the quota, and no mapping ended"


def rate_waits(tried: Tried) -> str:
    """Have a subscriber make mappings faster than it may."""
    trial = tried.trial(new_mapping_rate_per_subscriber=RATE)
    sockets = [Socket(0, number) for number in range(RATE + 3)]
    went = [trial.send(each) for each in sockets]
    if any(each in (Went.ICMP, Went.RESET, Went.NOTHING) for each in went):
        first = next(each for each in went if isinstance(each, Went) and each is not Went.HELD)
        raise trial.wrong(f"a packet above the rate got {_said(first)}", "that it waits")
    trial.wait(PATIENCE_S - 1)
    passed = sum(trial.has(each) for each in sockets)
    if passed < len(sockets):
        raise trial.wrong(f"{passed} of {len(sockets)} packets passed within {PATIENCE_S - 1:g} s", "all")
    return f"all {passed} packets passed, those above the rate later"


def icmp(tried: Tried) -> str:
    """Fill the NAT by subscribers that have their share at most, and let newcomers come."""
    trial = _greedy(tried)
    for newcomer in _each_newcomer():
        went = trial.send(newcomer)
        if went is not Went.ICMP:
            raise trial.wrong(f"with nobody above the share a newcomer got {_said(went)}", "icmp")
    return f"{NEWCOMERS} newcomers got icmp"


def kept(tried: Tried) -> str:
    """Fill the NAT with two subscribers above their share, let newcomers come, and look who loses what."""
    trial = _greedy(tried, tried.share + 2, tried.share + 1)
    wanted = f"that nobody with {tried.share} or fewer mappings loses one"
    for mapping, before in _newcomers(trial):
        had = _count(before, mapping)
        if had <= tried.share:
            raise trial.wrong(f"{mapping.internal} lost its mapping, and its subscriber had {had}", wanted)
    return "nobody with the share or less lost a mapping"


def admits(tried: Tried) -> str:
    """Fill the NAT with a subscriber far above its share, and let newcomers come."""
    trial = _greedy(tried, tried.share + NEWCOMERS + 1)
    for newcomer in _each_newcomer():
        went = trial.send(newcomer)
        trial.wait(EVICTED_WITHIN_S)
        if not trial.has(newcomer):
            raise trial.wrong(
                f"a newcomer got {_said(went)} while a subscriber had more than its share", "a mapping"
            )
    return f"{NEWCOMERS} newcomers got a mapping each"


def largest_pays(tried: Tried) -> str:
    """Fill the NAT with three subscribers above their share, the largest neither first nor last."""
    trial, paid = _greedy(tried, tried.share + 3, tried.share + 7, tried.share + 5), 0
    for mapping, before in _newcomers(trial):
        had, most = _count(before, mapping), max(_count(before, each) for each in before)
        if had < most:
            seen = f"{mapping.internal} lost a mapping, and its subscriber had {had}, while another had {most}"
            raise trial.wrong(seen, "that the subscriber with the most loses one")
        paid += 1
    return _paid(trial, paid)


def least_recent(tried: Tried) -> str:
    """Fill the NAT with a subscriber above its share, whose oldest mappings are used again."""
    trial, paid = _greedy(tried, tried.share + NEWCOMERS + 2), 0
    for mapping in [each for each in trial.held if each.internal.address == Socket(0, 0).address][:3]:
        trial.send(Socket(0, mapping.internal.port - Socket(0, 0).port))
    for mapping, before in _newcomers(trial):
        own = [each for each in before if each.internal.address == mapping.internal.address]
        if mapping is not own[0]:
            place = own.index(mapping) + 1
            seen = f"{mapping.internal} went, number {place} of its subscriber's by their last use"
            raise trial.wrong(seen, f"{own[0].internal}, the least recently used of them")
        paid += 1
    return _paid(trial, paid)


def no_more_than_share(tried: Tried) -> str:
    """Fill the NAT with a subscriber above its share. It, and another that has its share, ask for more."""
    trial = _greedy(tried, tried.share + NEWCOMERS + 1)
    for socket in (*(Socket(1, tried.share + number) for number in range(3)), Socket(0, 500)):
        had = trial.counts()[socket.address]
        went = trial.send(socket)
        if went is not Went.ICMP:
            raise trial.wrong(
                f"a subscriber that has {had} mappings, with a share of {tried.share}, got {_said(went)}", "icmp"
            )
    return "icmp for those that have their share or more"


REQUIREMENTS: dict[str, Callable[[Tried], str]] = {
    "decides": decides,
    "fallback": fallback,
    "quota-refused": quota_refused,
    "rate-waits": rate_waits,
    "icmp": icmp,
    "kept": kept,
    "admits": admits,
    "largest-pays": largest_pays,
    "least-recent": least_recent,
    "no-more-than-share": no_more_than_share,
}
"""By the names in the YAML file."""


def _greedy(tried: Tried, *counts: int) -> Trial:
    """Fill a NAT by subscribers that have these numbers of mappings, and others that have their share at most."""
    wanted = list(counts)
    while left := tried.variant["ports"] - sum(wanted):
        wanted.append(min(left, tried.share))
    trial = tried.trial()
    trial.fill(dict(enumerate(wanted)), tried.rng)
    return trial


def _each_newcomer() -> list[Socket]:
    return [Socket(who, 0) for who in range(FIRST_NEWCOMER, FIRST_NEWCOMER + NEWCOMERS)]


def _newcomers(trial: Trial) -> Iterator[tuple[Mapping, list[Mapping]]]:
    """Let newcomers come; yield each mapping that ends for one, with all that there were before."""
    for newcomer in _each_newcomer():
        before, lost = [*trial.held], len(trial.lost)
        trial.send(newcomer)
        yield from ((mapping, before) for mapping in trial.lost[lost:])
        trial.wait(EVICTED_WITHIN_S)


def _count(mappings: list[Mapping], one: Mapping) -> int:
    """Return how many of these mappings are of the same subscriber as one of them."""
    return sum(each.internal.address == one.internal.address for each in mappings)


def _paid(trial: Trial, paid: int) -> str:
    if not paid:
        raise trial.wrong("nobody lost a mapping to a newcomer", "that one goes for each")
    return f"{paid} mappings went, each the right one"


def _said(went: Mapping | Went) -> str:
    return "a mapping" if isinstance(went, Mapping) else went.value
