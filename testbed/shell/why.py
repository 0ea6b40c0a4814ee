"""The word `why`: why a host's last attempt was refused, as far as its NAT tells.

A NAT that reports each refusal with its subscriber is asked for the last one. Of any other, the counters that rose
during the host's last refused `open` are known, and the rules that count there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.nat.model import Limit
from controller.recording import PROTOCOLS, Kind
from controller.settings import Settings
from testbed.experiment.counters import DROPPED
from testbed.experiment.experiment import Experiment
from testbed.recording.format import Event
from testbed.recording.words import REASONS_IN_WORDS
from testbed.shell import look
from testbed.shell.attempts import Attempts, Refused
from testbed.shell.events import reports
from testbed.shell.refused import RefusedError
from testbed.shell.standing import Standing

SET_BY = {
    Limit.SUBSCRIBERS: ("limit_subscribers",),
    Limit.QUOTA: ("port_quota", "port_quota_{}"),
    Limit.RATE: ("new_mapping_rate_per_subscriber",),
    Limit.MAPPINGS: ("limit_port_mappings",),
    Limit.SESSIONS: ("limit_sessions",),
    Limit.DESTINATION: ("limit_sessions_per_destination",),
    Limit.SUBSCRIBER_PORTS: ("subscriber_ports", "subscriber_ports_max"),
    Limit.RESERVATION: ("ports", "external_addresses", "subscriber_ports"),
    Limit.PORTS: ("ports",),
    Limit.POOL: ("ports", "external_addresses"),
    Limit.FLOW_TABLE: ("flow_limit",),
    Limit.HOLD_QUEUE: ("hold_queue", "hold_timeout"),
}
"""The settings that make each limit; `{}` is the protocol."""


def why(words: list[str], standing: Standing, x: Experiment[Any], attempts: Attempts) -> Iterator[str]:
    """Yield which limit refused a host's last attempt, by which rule, and which counter has it."""
    if len(words) != 1:
        raise RefusedError("it is why HOST")
    host = words[0]
    own = look.gateway_of(x, host)
    refused = attempts.last_refused(host)
    for gateway in x.lab.gateways.values():
        gateway.counters("tcp")  # our own sends its events before the answer
    # Behind two NATs, the outer one knows the host by the address of the inner.
    known_as = [*look.inside(x, host), *map(str, standing.settings[own].external_addresses)]
    event = standing.events.last_refusal(known_as)
    if refused is not None:
        protocol, attempt, _ = refused
        target = f"{attempt.target[0]}:{attempt.target[1]}"
        seen = f"{attempt.outcome} {attempt.detail}".rstrip()
        yield f"{host}'s last failed `open` was {protocol} to {target}: {seen} after {attempt.seconds:.2f} s"
    if event is not None:
        yield from _told(event, standing, x)
    elif own in reports(standing.events.knows, Kind.REFUSED):
        yield f"{own} has refused no packet of {host}"
    else:
        yield from _counted(own, refused, standing, x)


def _told(event: Event, standing: Standing, x: Experiment[Any]) -> Iterator[str]:
    """Yield what a NAT has reported of a refusal."""
    assert event.reason is not None
    limit = Limit[event.reason.name]
    gateway, settings = x.lab.gateways[event.gateway], standing.settings[event.gateway]
    words = REASONS_IN_WORDS[type(event.reason)][event.reason].removeprefix(": ")
    made_by = _settings(limit, event.protocol, settings)
    yield f"limit    {words} ({made_by}); {event.gateway}, at {event.time:.3f} s"
    yield f"rule     {gateway.refusals()[limit.value]}; on_exhaustion={settings.on_exhaustion} decides"
    yield f"counter  {limit.value}={gateway.counters(event.protocol)[limit.value]} of {event.protocol}"


def _settings(limit: Limit, protocol: str, settings: Settings) -> str:
    keys = [key.format(protocol) for key in SET_BY[limit]]
    found = [f"{key}={look.written(value)}" for key in keys if (value := getattr(settings, key)) is not None]
    return ", ".join(found)


def _counted(own: str, refused: Refused | None, standing: Standing, x: Experiment[Any]) -> Iterator[str]:
    """Yield the counters that rose since a refused attempt began, or else since the prompt opened.

    The rules that count there come with them.
    """
    gateway = x.lab.gateways[own]
    protocols = PROTOCOLS if refused is None else (refused[0],)
    since = "the prompt opened, or its settings changed" if refused is None else "it began"
    rules, told = gateway.refusals(), set[tuple[str, int, int | None]]()
    for protocol in protocols:
        now, before = gateway.counters(protocol), standing.counted.get((own, protocol), {})
        for name, more in _risen(now, before if refused is None else refused[2]):
            if (name, more, now[name]) in told:  # one counter may be that of several protocols
                continue
            told.add((name, more, now[name]))
            limit = Limit(name)
            made_by = _settings(limit, protocol, standing.settings[own])
            yield f"limit    {limit.name.lower().replace('_', ' ')} ({made_by})"
            yield f"rule     {rules.get(name, 'not known')}"
            yield f"counter  {name}={now[name]}, {more} more since {since}; {own} does not count by host"
    if not told:
        yield f"{own} does not report whose packets it refuses, and has counted none since {since}"


def _risen(now: Mapping[str, int | None], before: Mapping[str, int | None]) -> Iterator[tuple[str, int]]:
    """Yield each counter of refused packets that rose, and by how much."""
    for name in DROPPED:
        more = (now.get(name) or 0) - (before.get(name) or 0)
        if more > 0:
            yield name, more
