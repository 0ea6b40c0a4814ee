"""A record of a recording as a sentence, for a person, and as an object, for a program."""

from __future__ import annotations

import enum
import json
from collections import defaultdict
from typing import Any

from testbed.recording.format import Event, Kind, Outcome, Refusal, Release, Text, Texts

HAPPENED = {
    Kind.ALLOCATED: "{protocol} {endpoint} is given to {subscriber}",
    Kind.CLOSING: "{protocol} {endpoint} of {subscriber} is closing",
    Kind.REOPENED: "{protocol} {endpoint} of {subscriber} is used again",
    Kind.RELEASED: "{protocol} {endpoint} of {subscriber} is released{reason}",
    Kind.HELD_DOWN: "{protocol} {endpoint} is held down",
    Kind.FREED: "{protocol} {endpoint} is free",
    Kind.REFUSED: "a {protocol} packet of {subscriber} is refused{reason}",
    Kind.HELD: "a {protocol} packet of {subscriber} is held{reason}",
    Kind.ATTEMPT: "{subscriber} sees its {protocol} attempt{reason}",
}
"""What each kind of event reports."""
REASONS_IN_WORDS: dict[type[enum.IntEnum], dict[int, str]] = {
    Release: {
        Release.CLOSED: ": its last connection closed",
        Release.IDLE: ": it was idle",
        Release.ROLLED_BACK: ": the switch refused its rules",
        Release.EVICTED: ": another needed its place",
        Release.FLUSHED: ": an operator ended it",
    },
    Refusal: {
        Refusal.SUBSCRIBERS: ": too many subscribers",
        Refusal.QUOTA: ": its quota is used up",
        Refusal.RATE: ": it makes mappings too fast",
        Refusal.MAPPINGS: ": too many mappings",
        Refusal.SESSIONS: ": too many sessions",
        Refusal.PORTS: ": its external address has no free port",
        Refusal.POOL: ": no external address has a free port",
        Refusal.FLOW_TABLE: ": the switch's table is full",
        Refusal.HOLD_QUEUE: ": too many packets are held",
        Refusal.SUBSCRIBER_PORTS: ": all of its own ports are in use",
        Refusal.RESERVATION: ": no ports can be reserved for it",
        Refusal.DESTINATION: ": too many sessions with its destination",
    },
    Outcome: {
        Outcome.ESTABLISHED: " established",
        Outcome.UNANSWERED: " answered in the server's name",
        Outcome.TIMEOUT: " time out",
        Outcome.ICMP: " end with an ICMP error",
        Outcome.RESET: " reset",
        Outcome.HELD: " established after it was held",
        Outcome.EVICTED: " evicted",
        Outcome.LEAKED: " leak",
        Outcome.SHARED: " share its endpoint",
    },
}
"""Why, by the kind of reason: two of different kinds are equal if their numbers are."""

CHECKED = "{claim}: expected {expected}, observed {observed}"
TOLD: dict[str, str] = {
    Texts.HEADER: "{scenario} on {gateway}, started {started}",
    Texts.PROGRESS: "{done} of {total}",
    Texts.SAMPLE: "{gateway}: its table is read {rate} times a second",
    Texts.END: "the end: {verdict}",
}
"""What each kind of text reports that has nothing more to it."""


def in_words(record: Event | Text) -> str:
    """Return what a record reports, in one line without its time."""
    return _of_text(record) if isinstance(record, Text) else _of_event(record)


def as_object(record: Event | Text) -> dict[str, Any]:
    """Return a record as an object for JSON. What is not known is not there."""
    if isinstance(record, Text):
        return {"time": record.time, "kind": record.kind, **record.content}
    fields = {
        "time": record.time,
        "kind": record.kind.name.lower(),
        "gateway": record.gateway,
        "protocol": record.protocol,
        "address": record.address,
        "port": record.port,
        "subscriber": record.subscriber,
        "reason": "" if record.reason is None else record.reason.name.lower(),
    }
    return {name: value for name, value in fields.items() if value != "" and (name != "port" or value)}


def _of_event(event: Event) -> str:
    reason = event.reason
    happened = HAPPENED[event.kind].format(
        protocol=event.protocol,
        endpoint=f"{event.address}:{event.port}",
        subscriber=event.subscriber or "somebody unknown",
        reason="" if reason is None else REASONS_IN_WORDS[type(reason)].get(reason, ""),
    )
    via = f" from {event.address}:{event.port}" if event.kind is Kind.ATTEMPT and event.port else ""
    return f"{event.gateway}: {happened}{via}"


def _in_use(gauges: Any) -> str:
    """Return the ports in use, for each protocol that has any."""
    taken = {
        protocol: each.get("ports_allocated")
        for protocol, each in (gauges.items() if isinstance(gauges, dict) else ())
        if isinstance(each, dict)
    }
    used = [f"{number} {protocol}" for protocol, number in taken.items() if number]
    return f"ports in use: {', '.join(used) or 'none'}"


def _missed(content: dict[str, Any]) -> str:
    """Return what is missing, and why if that is known."""
    events, texts = content.get("events", 0), content.get("texts", 0)
    if content.get("is_full"):
        missing = f"{events} events and {texts} texts are missing here"
        return f"the recording is full: {missing if events or texts else 'what follows is not in it'}"
    if texts:
        return "a text was too long" if texts == 1 else f"{texts} texts are missing here"
    return f"{content.get('gateway')}: {events} events are missing here"


def _of_text(text: Text) -> str:
    content = text.content
    match text.kind:
        case Texts.PHASE:
            return f"{content.get('name')}: {'over' if content.get('end') else 'begins'}"
        case Texts.CHECK:
            check = content.get("check")
            told = defaultdict(lambda: None, check if isinstance(check, dict) else {})
            return ("ok: " if told["ok"] else "FAILED: ") + CHECKED.format_map(told)
        case Texts.GAUGES:
            return f"{content.get('gateway')}: {_in_use(content.get('gauges'))}"
        case Texts.MISSED:
            return _missed(content)
        case kind if kind in TOLD:
            return TOLD[kind].format_map(defaultdict(lambda: None, content))
        case _:
            return json.dumps({key: value for key, value in content.items() if key != "kind"})
