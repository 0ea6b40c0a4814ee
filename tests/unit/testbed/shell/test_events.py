"""The events that somebody at a prompt sees: those that pass by on their way to the launcher."""

from __future__ import annotations

import base64
from typing import Any

from controller.recording import RECORD, Kind, Refusal
from testbed.shell import events as module
from testbed.shell.events import Events, reports
from testbed.shell.look import latest, news


class Channel:
    """The way to the launcher, which remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **fields: Any) -> None:
        """Remember one record."""
        self.sent.append((kind, fields))


def batch(*rows: tuple[int, Kind, int, int, int, int]) -> str:
    """Return events as a gateway hands them on: ticks, kind, detail, address, port, subscriber."""
    return base64.b64encode(b"".join(RECORD.pack(*row) for row in rows)).decode()


def filled() -> Events:
    """Return two events of alice: a mapping, and a refusal by a quota."""
    events = Events(Channel())
    events.send("recording", gateways={"gateway": {"knows": ["ALLOCATED", "REFUSED"], "how": "its own events"}})
    events.send("table", addresses=[[1, "gateway", "192.0.2.1"]])
    events.send("table", subscribers=[[7, "gateway", "10.0.0.1"]])
    events.send("events", gateway="gateway", data=batch((10_000, Kind.ALLOCATED, 0, 1, 1024, 7)))
    refused = (20_000, Kind.REFUSED, 1 | Refusal.QUOTA << 4, 0, 0, 7)
    events.send("events", gateway="gateway", data=batch(refused))
    return events


def test_every_record_goes_on_to_the_launcher() -> None:
    """As it came, whether the prompt keeps it or not."""
    channel = Channel()
    events = Events(channel)

    events.send("phase", name="fill")
    events.send("events", gateway="gateway", data=batch((1, Kind.FREED, 0, 1, 1024, 0)))

    assert [kind for kind, _ in channel.sent] == ["phase", "events"]


def test_events_are_read_in_words_with_the_names_that_indexes_stand_for() -> None:
    """The time is that of the recording."""
    lines, _ = latest(filled())

    assert [line.strip() for line in lines] == [
        "1.000 s  gateway: tcp 192.0.2.1:1024 is given to 10.0.0.1",
        "2.000 s  gateway: a udp packet of 10.0.0.1 is refused: its quota is used up",
    ]


def test_what_is_new_since_the_last_look_is_told_once() -> None:
    """`nat events -f` looks again and again."""
    events = filled()
    _, number = latest(events)
    assert news(events, number)[0] == []

    events.send("events", gateway="gateway", data=batch((30_000, Kind.FREED, 0, 1, 1024, 0)))

    assert len(news(events, number)[0]) == 1


def test_the_last_refusal_is_that_of_the_host_that_is_asked_for() -> None:
    """A host is known by any of its addresses; another's refusal is none of its own."""
    refusal = filled().last_refusal(["10.0.0.9", "10.0.0.1"])

    assert refusal is not None
    assert (refusal.reason, refusal.protocol) == (Refusal.QUOTA, "udp")
    assert filled().last_refusal(["10.0.0.2"]) is None


def test_a_gateway_is_known_by_the_kinds_that_it_reports() -> None:
    """Where refusals are not reported, `why` asks counters."""
    assert [*reports(filled().knows, Kind.REFUSED)] == ["gateway"]
    assert [*reports(filled().knows, Kind.CLOSING)] == []


def test_a_long_session_keeps_a_bounded_number_of_events(monkeypatch: Any) -> None:
    """The oldest go first."""
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    events = filled()
    for tick in range(50):
        events.send("events", gateway="gateway", data=batch((30_000 + tick, Kind.FREED, 0, 1, 1024, 0)))

    kept, _ = events.since()
    assert len(kept) <= 100 // 16 + 1
    assert kept[-1].time == 3.0049
