"""Is a NAT after half an hour of churn what it was in the beginning?

Set-up        port-exhaustion's, with a small pool and short timers
Action        all clients open connections until the pool is full, use them and close them, round after round
Expectation   each round fills the pool, ports are back when their timers say, in the last rounds as in the first,
              and neither the controller nor the switch has grown
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from pydantic import Field

from scenarios.shared.filling import EVERY_NUMBER, WINDOW, opening
from testbed.api import Demand, Experiment, Parameters, Scenario, at_least, at_most
from testbed.sandbox.memory import peak_memory, resident_memory

PORTS = 256
PATIENCE_S = 30.0
TIMER_S = 1.0
FEW = 3
"""Rounds at either end that are compared."""
SOME_MS = 250
MOST_GROWTH_KIB = {"controller": 8 * 1024, "ovs-vswitchd": 24 * 1024}
"""Programs that keep nothing of what is over. In half an hour of 209,152 connections the controller gained 5 MiB
and the switch 13 MiB, of 74 and 27. Servers and this process keep evidence of every connection."""


class SoakParameters(Parameters):
    """How long the soak takes."""

    minutes: float = Field(30.0, gt=0, description="minutes of churn")


class Soak(Scenario[SoakParameters]):
    """Is a NAT after half an hour of churn what it was in the beginning?"""

    name = "soak"
    settings = {"ports": PORTS, "hold_down_timeout": 0, "tcp_trans_close_timeout": TIMER_S}

    def run(self, x: Experiment[SoakParameters]) -> None:
        """Go round after round."""
        servers = x.lab.serve("tcp", capacity=PORTS)
        clients = x.lab.drive("tcp", attempts=PORTS)
        until, total = time.monotonic() + 60 * x.parameters.minutes, 60 * x.parameters.minutes
        filled: list[int] = []
        back: list[float] = []
        used: list[int] = []
        memory: list[dict[str, int]] = []
        attempts: list[Any] = []
        answered: set[int] = set()
        with x.phase("soak"):
            while time.monotonic() < until or len(back) < 2 * FEW:
                numbers = range(1 + len(back) * PORTS, 1 + (len(back) + 1) * PORTS)
                hosts = range(len(x.lab.clients))
                opened = clients.open(
                    [
                        opening(number, place, hosts, servers.targets, own_port=False)
                        for place, number in enumerate(numbers)
                    ],
                    patience=PATIENCE_S,
                    first_window=8,
                    window=WINDOW,
                    progress=lambda _: None,
                )
                attempts += opened
                filled.append(sum(each.outcome == "established" for each in opened))
                answered |= clients.echo(numbers, patience=PATIENCE_S, window=WINDOW, progress=lambda _: None)
                used.append(x.counters("tcp")["ports_allocated"] or 0)
                clients.close(EVERY_NUMBER, window=WINDOW, progress=lambda _: None)
                closed = time.monotonic()
                while x.counters("tcp")["ports_free"] != PORTS and time.monotonic() - closed < PATIENCE_S:
                    time.sleep(0.01)
                back.append(time.monotonic() - closed)
                if len(back) == FEW:
                    memory.append(resident_memory())
                x.progress(round(total - max(0.0, until - time.monotonic())), round(total))
        memory.append(resident_memory())
        first, last = (statistics.median(each) for each in (back[:FEW], back[-FEW:]))
        x.series(
            rounds=len(back),
            resident_kib={name: [each.get(name, 0) for each in memory] for name in memory[-1]},
            peak_kib=peak_memory(),
            seconds_until_ports_were_back=[round(first, 3), round(last, 3), round(max(back), 3)],
        )
        source = "RFC 6888: a NAT goes on"
        x.check("rounds that filled the pool", expected=len(back), observed=filled.count(PORTS), source=source)
        x.check("rounds with all ports in use", expected=len(back), observed=used.count(PORTS), source=source)
        x.check("rounds", expected=at_least(2 * FEW), observed=len(back), source=source)
        x.check(
            "milliseconds by which the last rounds' ports were later than the first rounds'",
            expected=at_most(SOME_MS),
            observed=max(0, round(1000 * (last - first))),
            source="RFC 7857 section 2: the timer does not depend on the past",
        )
        for name, most in MOST_GROWTH_KIB.items():
            before, after = (each[name] for each in memory)
            x.check(
                f"KiB that {name} gained",
                key=f"gained-{name}",
                expected=at_most(most),
                observed=max(0, after - before),
                source="the tables of a NAT are bounded",
                bears=None,
            )
        x.account(attempts, answered)

    @classmethod
    def demand(cls, parameters: SoakParameters, settings: Any) -> Demand:
        """Return the pool's."""
        return Demand((PORTS // parameters.subscribers,) * parameters.subscribers, lasts=PATIENCE_S)
