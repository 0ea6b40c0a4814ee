"""Several programs with one socket each: waiting for what their kernels return, and writing it down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from scenarios.shared.clients import Client, listen
from testbed.api import Experiment

NAMES = {"tcp": "TCP connect", "udp": "UDP send", "icmp": "ping"}
LOOK_EVERY_S = 0.1


def title(program: Client) -> str:
    """Return what a program does, and whether it asks for the error queue."""
    return NAMES[program.protocol] + (" with IP_RECVERR" if program.queue else "")


def row(program: Client) -> dict[str, Any]:
    """Return what a program was told, as a row of measurements."""
    told = program.told
    icmp = told.icmp._asdict() if told and told.icmp else None
    return {"program": title(program), **(asdict(told) if told else {"seconds": None}), "icmp": icmp}


def wait_for(x: Experiment[Any], programs: Sequence[Client], *, patience: float, tcp_patience: float) -> float:
    """Wait until each program was told something, and close the others; return for how many seconds.

    `patience` is for UDP and ping. While a TCP program waits, `tcp_patience` is for all: its kernel gives up.
    """
    started = time.monotonic()
    while waiting := [each for each in programs if each.waits]:
        limit = tcp_patience if any(each.is_stream for each in waiting) else patience
        if (left := started + limit - time.monotonic()) <= 0:
            break
        listen(waiting, min(left, LOOK_EVERY_S))
        x.progress(len(programs) - len(waiting), len(programs))
    waited = time.monotonic() - started
    for each in waiting:
        each.close()
    return waited
