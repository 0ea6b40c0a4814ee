"""Recordings of runs that never were: a NAT that is filled, refuses, is closed, and is filled again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from testbed.recording.format import FILE, RECORD, TICKS_PER_S, Kind, Outcome, Refusal, Release
from testbed.recording.writer import Writer

FIRST = 1024
FULL_AT_S, REFUSED_AT_S, CLOSED_AT_S, AGAIN_AT_S, END_S = 1.0, 1.5, 3.0, 5.0, 6.0
"""When the last port is taken, the last packet refused, the last connection closed, and the second fill begun."""
SUBSCRIBERS = 8


def write(
    folder: Path,
    ports: int = 256,
    *,
    refused: int = 64,
    order: Callable[[int], Iterator[tuple[int, int]]] | None = None,
    gateway: str = "openflow",
    started: str = "2026-01-01T00:00:00+00:00",
    follow: Callable[[bytes], None] = lambda data: None,
) -> Path:
    """Write a recording into a folder, and return the folder. `order` yields a subscriber and a port each time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("wb") as file:
        header = {"started": started, "scenario": "port-exhaustion", "gateway": gateway}
        writer = Writer(file, {**header, "gateways": {"gateway": {"how": "its own events"}}}, follow=follow)
        fill(writer, list((order or at_random)(ports)), refused)
        writer.end(END_S, verdict="pass")
    return folder


def at_random(ports: int) -> Iterator[tuple[int, int]]:
    """Yield every port once at random, for the subscribers in turn."""
    shuffled = random.Random(1).sample(range(FIRST, FIRST + ports), ports)
    yield from ((number % SUBSCRIBERS + 1, port) for number, port in enumerate(shuffled))


def fill(writer: Writer, pairs: list[tuple[int, int]], refused: int) -> None:
    """Record the whole of it. `pairs` are the subscribers and their ports in the order of their mappings."""
    subscribers = sorted({subscriber for subscriber, _ in pairs})
    writer.text(0, "table", addresses=[[1, "gateway", "192.0.2.1"]])
    writer.text(0, "table", subscribers=[[each, "gateway", f"10.0.0.{each}"] for each in subscribers])
    writer.text(0, "phase", name="fill")
    for number, (subscriber, port) in enumerate(pairs):
        at = FULL_AT_S * (number + 1) / len(pairs)
        writer.events(_record(at, Kind.ALLOCATED, port=port, subscriber=subscriber))
    for number in range(refused):
        at = FULL_AT_S + (REFUSED_AT_S - FULL_AT_S) * (number + 1) / refused
        subscriber = subscribers[number % len(subscribers)]
        writer.events(_record(at, Kind.REFUSED, reason=Refusal.PORTS, address=0, subscriber=subscriber))
    check = {"claim": "ports in use", "expected": len(pairs), "observed": len(pairs), "ok": True}
    writer.text(REFUSED_AT_S, "check", check={**check, "source": "RFC 6888 REQ-11", "key": "ports"})
    writer.tick(CLOSED_AT_S)  # all of that is in the file, and what is earlier from now on comes late
    for number in range(refused):
        reason = {"reason": Outcome.TIMEOUT, "address": 0, "subscriber": subscribers[number % len(subscribers)]}
        writer.events(_record(FULL_AT_S, Kind.ATTEMPT, **reason))
    writer.text(REFUSED_AT_S + 0.1, "phase", name="close")
    for number, (subscriber, port) in enumerate(reversed(pairs)):
        at = 2 + (CLOSED_AT_S - 2) * (number + 1) / len(pairs)
        own = {"port": port, "subscriber": subscriber}
        writer.events(_record(at, Kind.CLOSING, **own))
        writer.events(_record(at + 0.5, Kind.RELEASED, reason=Release.CLOSED, **own))
        writer.events(_record(at + 1, Kind.HELD_DOWN, **own) + _record(at + 1.5, Kind.FREED, **own))
    writer.text(AGAIN_AT_S, "phase", name="second fill")
    for subscriber, port in pairs:
        writer.events(_record(AGAIN_AT_S, Kind.ALLOCATED, port=port, subscriber=subscriber))


def _record(
    at: float, kind: Kind, *, reason: int = 0, address: int = 1, port: int = 0, subscriber: int = 0
) -> bytes:
    return RECORD.pack(round(at * TICKS_PER_S), kind, reason << 4, address, port, subscriber)
