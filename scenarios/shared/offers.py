"""Connections that come by the clock, whatever became of those before them, and what the witnesses saw of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from testbed.api import Attempt, Behaviour, Counters, Endpoint, Experiment, Opening, Served

LEAD_S = 0.2
"""From the order to the first start, for workers that are still reading."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The connections that were offered to one gateway, and what became of them."""

    attempts: list[Attempt]
    held: set[int]
    """The numbers of those whose SYN the NAT held, and then let through."""
    again: list[Attempt]
    """Those whose clients had to send their SYN again."""
    longest_in_nat: float | None
    """The longest wait of those that sent once, in seconds, as the wire outside saw it."""
    counters: Counters
    """The gateway's, just after the last connection."""
    behaviour: Behaviour
    late: float
    """The most seconds by which a client began later than planned, since this machine was busy."""

    @property
    def policy(self) -> str:
        """Whether the gateway declares to `hold` a packet that finds no port, or to `drop` it."""
        return "hold" if self.behaviour.ports_exhausted.value.holds else "drop"

    @property
    def served(self) -> set[int]:
        """The numbers of those that were established."""
        return {attempt.number for attempt in self.attempts if attempt.outcome == "established"}

    @property
    def quickest_again(self) -> float | None:
        """The seconds until the first was established of those that had to send again; None if none was."""
        return min((each.seconds for each in self.again if each.outcome == "established"), default=None)

    def facts(self) -> dict[str, Any]:
        """Return what two offers can be compared by."""
        waited = [attempt.seconds for attempt in self.attempts if attempt.outcome == "established"]
        return {
            "offered": len(self.attempts),
            "served": len(waited),
            "served_share": round(len(waited) / len(self.attempts), 4),
            "held": len(self.held),
            "clients_that_sent_again": len(self.again),
            "retransmissions": sum(attempt.retransmissions for attempt in self.again),
            "mean_wait_s": round(sum(waited) / len(waited), 3) if waited else None,
            "longest_wait_s": round(max(waited), 3) if waited else None,
        }


def offer(
    x: Experiment[Any], arrivals: Sequence[float], holding: float, *, patience: float, behind: Sequence[str] = ()
) -> list[Offer]:
    """Let clients connect to the first server at these times, use each connection for `holding` s, and close it.

    All clients take turns; or those behind each of the gateways `behind`, so that each gets all arrivals. Attempts
    are given up after `patience` seconds.
    """
    turns = {name: x.lab.behind(name) for name in behind}
    turns = turns or {next(iter(x.lab.gateways)): [*range(len(x.lab.clients))]}
    plans = [
        timetable(places, x.lab.endpoint(), arrivals, holding, first=1 + turn * len(arrivals))
        for turn, places in enumerate(turns.values())
    ]
    plan = sorted((planned for each in plans for planned in each), key=lambda planned: planned.start)
    x.lab.serve("tcp", capacity=len(plan))
    clients = x.lab.drive("tcp", attempts=len(plan))
    with x.phase("serve"):
        attempts = clients.serve(plan, patience=patience, progress=lambda done: x.progress(done, len(plan)))
    parts = [attempts[turn * len(arrivals) : (turn + 1) * len(arrivals)] for turn in range(len(turns))]
    counters = [x.lab.gateways[name].counters("tcp") for name in turns]
    late = lateness(plan, attempts)
    return [_offer(x, *each, late) for each in zip(turns, parts, counters, strict=True)]


def lateness(plan: Sequence[Served], attempts: Sequence[Attempt]) -> float:
    """Return by how many seconds an attempt began later than planned, compared with the most punctual one."""
    starts = {served.opening.number: served.start for served in plan}
    begun = [attempt.sent_at - starts[attempt.number] for attempt in attempts]
    return max(begun, default=0.0) - min(begun, default=0.0)


def timetable(
    clients: Sequence[int], target: Endpoint, arrivals: Sequence[float], holding: float, *, first: int = 1
) -> list[Served]:
    """Plan an attempt for each arrival, numbered from `first`, by these clients (by their places) in turn."""
    return [
        Served(Opening(first + turn, clients[turn % len(clients)], target), LEAD_S + arrival, holding)
        for turn, arrival in enumerate(arrivals)
    ]


def _offer(x: Experiment[Any], gateway: str, attempts: list[Attempt], counters: Counters, late: float) -> Offer:
    """Ask the witnesses about the attempts behind a gateway."""
    again, waits = x.judge.sent_again(attempts), x.judge.waits(attempts)
    return Offer(
        attempts=attempts,
        held=x.judge.held(attempts),
        again=[attempt for attempt in attempts if attempt.number in again],
        longest_in_nat=max(waits.values(), default=None),
        counters=counters,
        behaviour=x.lab.behaviours[gateway],
        late=late,
    )
