"""How slow this machine is, and how long to wait on it for what a usual machine does in a given time.

A limit of time stands for "this will not happen any more". How long that takes to know is a matter of the machine:
in a virtual machine without hardware virtualisation each instruction takes ten to fifty times as long. Limits are
written for a usual machine, and `patient` makes them those of this one. It is measured by the processor time of a
fixed piece of work, which other processes on the machine do not lengthen: a busy machine is not a slow one, and
`testbed.evidence.busy` has what is known of that.
"""

from __future__ import annotations

import functools
import time

ROUNDS, TRIES = 20_000, 5
USUAL_S = 0.0011
"""Seconds in which a usual machine does the work: two cores of a small virtual machine need half of it."""


@functools.cache
def slowness() -> float:
    """Return how many times longer than a usual machine this one computes, at least 1; measured once, in 3 ms."""
    return slowness_of(min(_work() for _ in range(TRIES)))


def slowness_of(seconds: float) -> float:
    """Return how slow a machine is that needs these seconds for the work."""
    return max(1.0, round(seconds / USUAL_S, 1))


def patient(seconds: float) -> float:
    """Return how long to wait here for what a usual machine does in these seconds."""
    return seconds * slowness()


def _work() -> float:
    began, total = time.thread_time(), 0
    for number in range(ROUNDS):
        total += number & 7
    return time.thread_time() - began
