"""How busy the machine was during a run, and which failed checks that excuses. It never makes a check pass.

Slow is not late. On a busy machine everything takes longer, and most checks do not mind. A check can bear a number
of seconds by which the run's own processes were late. If they were later than that, and the check failed, nobody
knows whose fault it is: the run has no verdict, and ends as an error with the figures that are here.

A check that bears any lateness is never excused. What leaked has leaked, however busy the machine was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SAMPLE_S = 0.25
"""Seconds between two samples of the processes."""
LOST_SHARE = 0.01
"""Share of the packets that a run may lose by full queues: they are sent again, and 1 in 10,000 is lost twice."""
STARVED_SHARE = 0.5
"""Share of the time for which a program that waits for a processor cannot keep up, however short each wait is."""
ROUND_TRIPS = 10
"""Round trips that what is checked may have waited for: to connect, ask and close takes three or four, and some
attempts wait for each other."""
STARVED = " waited for a processor for"
COMPUTES_S = 0.05
"""The most seconds that all programs of a run together compute for one answer, on a usual machine."""
LEAST_BEARS_S = 0.05
"""No check can bear less: a quiet machine is late by a few milliseconds now and then."""


class TooBusyError(Exception):
    """Checks failed, and the machine was too busy for them, so the run has no verdict."""


class LinksError(Exception):
    """Checks failed, and what was set for the links may be the reason, so the run has no verdict."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long the processes of one program waited for a processor, while they had something to do.

    `share` is the waiting share of the whole time, of the process that waited most. `longest_s` is the most in one
    sample, and `mean_s` the longest mean wait in one sample, each time that a processor was wanted.
    """

    share: float
    longest_s: float
    mean_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed: its key, the seconds of lateness that it bears (None: any), and its own lateness.

    `late` is how late the check's own probes were, in seconds, if the scenario has measured it.
    """

    key: str
    bears: float | None
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the links of a run did as they were set. It may have caused a failure for which no NAT is to blame."""

    round_trip_s: float = 0.0
    frames: int = 0
    lost: int = 0

    def excuse(self, failure: Failure) -> str:
        """Return why the links may be to blame for a failed check, in words; "" if they are not."""
        if failure.bears is None:
            return ""
        if self.lost:
            return f"the links lost {self.lost:,} of {self.frames:,} frames, as they were set"
        if (late := ROUND_TRIPS * self.round_trip_s) > max(failure.bears, LEAST_BEARS_S):
            return f"{ROUND_TRIPS} round trips took up to {late:.2f} s on the links, as they were set"
        return ""


NO_TROUBLE = Trouble()


@dataclass(frozen=True, slots=True)
class Busy:
    """What was measured of the machine while a scenario ran."""

    seconds: float = 0.0
    processors: int = 1
    wanted: float = 0.0
    """The number of tasks of the whole machine that wanted a processor, on average."""
    pressure: float | None = None
    """The share of the time in which some task of the machine waited for a processor (/proc/pressure/cpu)."""
    late_s: float = 0.0
    """By how many seconds a packet was late that passed all programs of the run once, in the worst sample.

    Each program adds its mean wait for a processor. If the whole machine stood still for longer, that counts.
    """
    waited_s: float = 0.0
    """The most that all programs of the run together waited for processors in one sample, in seconds."""
    waits: Mapping[str, Wait] = field(default_factory=dict)
    """How long each program of the run waited."""
    packet_in_s: float | None = None
    """The longest that the switch took to answer the controller, behind all packets that waited for it."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """The number of packets that queues of the machine had no room for, by the queue."""
    packets: int = 0
    """The number of packets that came to the hosts."""
    slowness: float = 1.0
    """How many times longer than a usual machine this one computes."""

    @property
    def is_strained(self) -> bool:
        """Whether all programs of the run together waited for as long as a sample, in some sample."""
        return self.waited_s >= SAMPLE_S

    def excuse(self, failure: Failure, *, beside_strangers: bool = False) -> str:
        """Return why the machine may be to blame for a failed check, in words; "" if it is not.

        With `beside_strangers`, somebody's own program is in the run. It may start processes that keep each other
        waiting, so a share of the time excuses nothing.
        """
        if failure.bears is None:
            return ""
        bears = max(failure.bears, LEAST_BEARS_S)
        if failure.late > bears:
            return f"its own probes were late by {failure.late:.2f} s"
        if self.late_s > bears:
            return f"the run's programs were late by {self.late_s:.2f} s"
        if self.slowness > 1.0 and self.slowness * COMPUTES_S > bears:
            return f"it computes {self.slowness:g} times as long as a usual one"
        if not self.is_strained:
            return ""
        if self.packet_in_s is not None and self.packet_in_s > bears:
            return f"the switch and the controller took {self.packet_in_s:.2f} s for an answer"
        starved = {name: wait.share for name, wait in self.waits.items() if wait.share > STARVED_SHARE}
        if starved and not beside_strangers:
            name = max(starved, key=lambda each: starved[each])
            return f"{name}{STARVED} {starved[name]:.0%} of the time"
        if sum(self.lost.values()) > self.packets * LOST_SHARE:
            return "the machine lost " + ", ".join(
                f"{n:,} of {self.packets:,} packets at {at}" for at, n in self.lost.items() if n
            )
        return ""

    def require_idle_for(
        self, failures: Iterable[Failure], links: Trouble = NO_TROUBLE, *, beside_strangers: bool = False
    ) -> None:
        """Raise TooBusyError if each of these failures, of which there are some, may be the machine's.

        If it may as well be that of the `links`, raise LinksError.
        """
        failures = list(failures)
        excuses = {each: self.excuse(each, beside_strangers=beside_strangers) for each in failures}
        by_links = {failure: links.excuse(failure) for failure in failures}
        if not failures or not all(excuses[each] or by_links[each] for each in failures):
            return
        if any(by_links.values()):
            reasons = "; ".join(dict.fromkeys(filter(None, by_links.values())))
            raise LinksError(
                f"{reasons}, which may have caused what failed: {', '.join(each.key for each in failures)}; take "
                "better links, or a longer patience where the scenario has one"
            )
        spoilt: dict[str, list[Failure]] = {}
        for failure, excuse in excuses.items():
            spoilt.setdefault(excuse, []).append(failure)
        reasons = "; ".join(_reason(excuse, each) for excuse, each in spoilt.items())
        raise TooBusyError(
            f"this machine was too busy for what failed: {reasons}; {self.wanted:.1f} tasks wanted its "
            f"{self.processors} processors; run it again with less other load"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the figures as `results.json` has them."""
        rounded = {key: round(each, 3) if isinstance(each, float) else each for key, each in asdict(self).items()}
        return {**rounded, "waits": {name: asdict(wait) for name, wait in self.waits.items()}}


def _reason(excuse: str, failures: Iterable[Failure]) -> str:
    """Return an excuse with what it excuses. A share of the time compares with no number of seconds."""
    if STARVED in excuse:
        return f"{excuse}, and what failed is {', '.join(each.key for each in failures)}"
    bear = ", ".join(f"{each.key} ({max(each.bears or 0.0, LEAST_BEARS_S):.2f} s)" for each in failures)
    return f"{excuse}, which is more than {bear} can bear"
