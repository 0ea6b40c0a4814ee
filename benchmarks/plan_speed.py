"""The speed of `lastport plan`: the simulation beside the core alone, and over one process and two.

    python benchmarks/plan_speed.py

The core alone gets the same calls that the simulation made, one after the other: packets, ticks and counts. What
the simulation takes beyond that is its driver: arrivals, endings and counters. Times are CPU times, but for those
of several processes. A busy hour is reckoned from the rate, and from the attempts that a subscriber makes.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from controller.nat.translator import Nat
from controller.process.garbage import collect_seldom
from controller.settings import Settings
from testbed.plan.parameters import PlanParameters
from testbed.plan.simulation import Simulation
from testbed.plan.tally import Tally
from testbed.plan.workload import Workload

SUBSCRIBERS, SECONDS = 100, 600
PARAMETERS = PlanParameters.model_validate({"subscribers": SUBSCRIBERS})
NAT = Settings().for_nat()
HOUR_S = 3600
CARRIER, MILLION = 10_000, 1_000_000


def new() -> Simulation:
    """Return a simulation that nothing has come to yet."""
    return Simulation(NAT, random.Random(1), Tally(3, PARAMETERS.destinations + 2))


def fed(simulation: Simulation) -> int:
    """Feed a simulation, and return the number of attempts."""
    attempts = 0
    for end, arrivals in Workload(PARAMETERS, random.Random(2)).seconds():
        simulation.feed(arrivals)
        attempts += len(arrivals)
        if end >= SECONDS:
            break
    return attempts


class Noted:
    """A core's method, of which every call is noted: its name, and what it was called with."""

    def __init__(self, calls: list[tuple[str, Any]], name: str, method: Any) -> None:
        self._calls, self._name, self._method = calls, name, method

    def __call__(self, *arguments: Any) -> Any:
        """Note a call, and make it."""
        self._calls.append((self._name, arguments))
        return self._method(*arguments)


def noted() -> list[tuple[str, Any]]:
    """Return every call that a simulation makes to its core."""
    simulation = new()
    calls: list[tuple[str, Any]] = []
    nat: Any = simulation.nat
    for name in ("outbound", "observe", "due", "examined"):
        setattr(nat, name, Noted(calls, name, getattr(nat, name)))
    fed(simulation)
    return calls


def alone(calls: list[tuple[str, Any]]) -> float:
    """Return the seconds that a new core takes for these calls. Counts are of its own flows."""
    nat, aside = Nat(NAT, random.Random(1)), 0.0
    methods: dict[str, Any] = {name: getattr(nat, name) for name in ("outbound", "observe", "due", "examined")}
    flows: list[Any] = []
    began = time.process_time()
    for name, arguments in calls:
        if name == "due":
            nat.events.clear()
            flows = methods[name](*arguments)
        elif name == "examined":
            paused = time.process_time()
            counts = [(flow, *each[1:]) for flow, each in zip(flows, arguments[0], strict=True)]
            aside += time.process_time() - paused
            methods[name](counts, arguments[1])
        else:
            methods[name](*arguments)
    return time.process_time() - began - aside


def whole(_: int = 0) -> tuple[int, float]:
    """Return the attempts of a simulation, and the CPU seconds that it takes."""
    collect_seldom()
    began = time.process_time()
    return fed(new()), time.process_time() - began


def side_by_side(processes: int) -> float:
    """Return the attempts in a second that this number of processes simulate together."""
    with ProcessPoolExecutor(processes) as pool:
        began = time.monotonic()
        attempts = sum(count for count, _ in pool.map(whole, range(2 * processes)))
        return attempts / (time.monotonic() - began)


def main() -> None:
    """Measure, and print what it means for the busy hour of a carrier."""
    attempts, seconds = whole()
    core = alone(noted())
    rate, of_one = attempts / seconds, attempts / SUBSCRIBERS / SECONDS
    hour = of_one * HOUR_S / rate
    rows = (
        ("simulation", f"{rate:,.0f} attempts/s of CPU, {seconds / attempts * 1e6:.1f} us each"),
        ("the core alone", f"{attempts / core:,.0f} attempts/s of CPU, {core / attempts * 1e6:.1f} us each"),
        (
            "simulation / core",
            f"{seconds / core:.2f}: the driver takes {seconds / core - 1:.2f} of that",
        ),
        ("one process", f"{(one := side_by_side(1)):,.0f} attempts/s by the clock"),
        ("two processes", f"{(two := side_by_side(2)):,.0f} attempts/s by the clock: {two / one:.2f} times"),
        ("a subscriber", f"{of_one:.2f} attempts/s (3 in 10 are light, 2 in 100 heavy)"),
        (f"{CARRIER:,} for an hour", f"{CARRIER * hour:,.0f} s on one core"),
        (f"{MILLION:,} for an hour", f"{MILLION * hour / HOUR_S:,.1f} core hours (reckoned, not run)"),
    )
    for name, words in rows:
        print(f"{name:24}{words}")


if __name__ == "__main__":
    main()
