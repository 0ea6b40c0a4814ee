"""Events in words: each kind has the words of its own reasons, though reasons of two kinds are equal numbers."""

from __future__ import annotations

import pytest

from testbed.recording import Event, Kind, Outcome, Refusal, Release
from testbed.recording.format import REASONS
from testbed.recording.words import REASONS_IN_WORDS, in_words


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        (Kind.RELEASED, Release.CLOSED, "tcp 192.0.2.1:1024 of 10.0.0.1 is released: its last connection closed"),
        (Kind.REFUSED, Refusal.SUBSCRIBERS, "a tcp packet of 10.0.0.1 is refused: too many subscribers"),
        (Kind.ATTEMPT, Outcome.ESTABLISHED, "10.0.0.1 sees its tcp attempt established from 192.0.2.1:1024"),
        (Kind.RELEASED, Release.UNKNOWN, "tcp 192.0.2.1:1024 of 10.0.0.1 is released"),
        (Kind.FREED, None, "tcp 192.0.2.1:1024 is free"),
    ],
)
def test_a_reason_is_told_by_its_kind(kind: Kind, reason: Release | Refusal | Outcome | None, words: str) -> None:
    """And where none is known, there is none."""
    event = Event(1.0, kind, "tcp", "gateway", "192.0.2.1", 1024, "10.0.0.1", reason)

    assert in_words(event) == f"gateway: {words}"


def test_every_reason_has_words() -> None:
    """But for the one that is not known."""
    for kind, reasons in REASONS.items():
        assert set(REASONS_IN_WORDS[kind]) == {each for each in reasons if each}
