"""A recording of lastport's own: each mapping that a run's gateway made, and each attempt that it refused.

A recording has no destinations and no inside ports: all go to one destination, and each has a port of its own.
What a refused attempt would have done is not known: it lives as long as the others did on average.
"""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address
from pathlib import Path

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending
from testbed.plan.traces.record import Record, Trace, TraceError
from testbed.recording import Recording, RecordingError
from testbed.recording.format import Event, Kind

SOMEWHERE = Endpoint.parse("198.51.100.1:443")
PORTS = 64512


def read(path: Path, udp_timeout: float) -> Trace:
    """Return the attempts of a recording, in whose runs datagrams kept a port for `udp_timeout`."""
    trace, numbers = Trace(), itertools.count()
    begun: dict[tuple[str, str, str, int], tuple[float, str]] = {}
    closing: dict[tuple[str, str, str, int], float] = {}
    refused: list[tuple[float, str, str]] = []
    try:
        for event in Recording.open(path):
            if not isinstance(event, Event):
                continue
            key = event.gateway, event.protocol, event.address, event.port
            if event.kind is Kind.ALLOCATED:
                begun[key] = event.time, event.subscriber
            elif event.kind is Kind.CLOSING:
                closing[key] = event.time
            elif event.kind is Kind.REOPENED:
                closing.pop(key, None)
            elif event.kind is Kind.RELEASED and key in begun:
                since, subscriber = begun.pop(key)
                ended = closing.pop(key, None)
                silent = max(since, event.time - udp_timeout) if event.protocol == "udp" else event.time
                _add(trace, since, ended or silent, event.protocol, subscriber, next(numbers), ended is not None)
            elif event.kind is Kind.REFUSED:
                refused.append((event.time, event.protocol, event.subscriber))
    except RecordingError as error:
        raise TraceError(str(error)) from None
    for key, (since, subscriber) in begun.items():
        _add(trace, since, closing.get(key, since), key[1], subscriber, next(numbers), key in closing)
    lives = [each.ends - each.at for each in trace.records]
    mean = sum(lives) / len(lives) if lives else 0.0
    for at, protocol, subscriber in refused:
        _add(trace, at, at + mean, protocol, subscriber, next(numbers), True)
    return trace


def _add(
    trace: Trace, at: float, ends: float, protocol: str, subscriber: str, number: int, is_closed: bool
) -> None:
    if protocol == "icmp" or not subscriber:
        trace.leave_out("neither TCP nor UDP, or of nobody known")
        return
    source = Endpoint(int(IPv4Address(subscriber)), 1024 + number % PORTS)
    ending = Ending.FIN if is_closed and protocol == "tcp" else Ending.SILENCE
    trace.add(Record(at, max(at, ends), Protocol[protocol.upper()], source, SOMEWHERE, ending))
