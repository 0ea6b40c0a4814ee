"""How connections live: they talk, and part as they were told to, by a clock that only a poll advances."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from testbed.traffic import pending, timetable
from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.lives import GRACE_S, Life, Lives
from testbed.traffic.records import Parting


class Client:
    """A client whose attempts are answered at the next poll, unless nobody answers them."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, is_stream: bool, silent: set[int] | None = None
    ) -> None:
        self.is_stream = is_stream
        self.silent = silent or set()
        self.orders = SimpleNamespace(tell=lambda **_: None)
        self.now = 100.0
        self.did: list[tuple[str, int, float]] = []
        self.asked: list[LiveAttempt] = []
        for module in (pending, timetable):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def _note(self, what: str, attempt: LiveAttempt) -> None:
        self.did.append((what, attempt.number, round(self.now - 100.0, 1)))

    def connect(self, attempt: LiveAttempt) -> None:
        """Begin an attempt."""
        attempt.socket = object()  # type: ignore[assignment]  # nothing looks into it
        self._note("connect", attempt)
        self.asked.append(attempt)

    def poll(self, pause: float, current: Any) -> None:
        """Let the time pass, and answer."""
        self.now += max(pause, 0.001)
        for attempt in self.asked:
            if attempt.number not in self.silent:
                current.answered(attempt)
        self.asked = [attempt for attempt in self.asked if attempt.number in self.silent]

    def say(self, attempt: LiveAttempt) -> None:
        """Send something."""
        self._note("say", attempt)

    def shut(self, attempt: LiveAttempt) -> None:
        """Close in an orderly way."""
        self._note("shut", attempt)

    def give_up(self, attempt: LiveAttempt) -> None:
        """Nobody answers."""
        self._note("give up", attempt)

    def fail(self, attempt: LiveAttempt, error: OSError) -> None:
        """Note an error."""

    def reset(self, attempt: LiveAttempt) -> None:
        """Close by a RST."""
        self._note("reset", attempt)
        attempt.socket = None

    def vanish(self, attempt: LiveAttempt) -> None:
        """Close without a packet."""
        self._note("vanish", attempt)
        attempt.socket = None

    def forget(self, attempt: LiveAttempt) -> None:
        """Close."""
        if attempt.socket is not None:
            self._note("forget", attempt)
        attempt.socket = None

    def live(self, *lives: Life, patience: float = 0.4) -> list[tuple[str, int, float]]:
        """Let attempts live, and then one more of a second, and return what was done about the former."""
        numbered = dict(enumerate([*lives, (9.0, 1.0, 100.0, "close")], 1))
        attempts = [LiveAttempt(number, number, "", ("", 0), "", 0) for number in numbered]
        Lives(self, patience, numbered).live(attempts, 100.0)
        return [each for each in self.did if each[1] <= len(lives)]


def test_a_connection_talks_while_it_lives_and_is_closed_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins at its time, and its life with the answer."""
    did = Client(monkeypatch, is_stream=True).live((1.0, 5.0, 2.0, Parting.CLOSE))

    assert did[:4] == [("connect", 1, 1.0), ("say", 1, 3.0), ("say", 1, 5.0), ("shut", 1, 6.0)]


@pytest.mark.parametrize(("parting", "did"), [(Parting.RESET, "reset"), (Parting.VANISH, "vanish")])
def test_a_connection_parts_as_it_was_told_to(monkeypatch: pytest.MonkeyPatch, parting: str, did: str) -> None:
    """By a RST, or without a packet."""
    assert Client(monkeypatch, is_stream=True).live((0.0, 3.0, 100.0, parting))[-1] == (did, 1, 3.0)


def test_datagrams_have_last_words_and_a_socket_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the kernel would report the port as closed."""
    did = Client(monkeypatch, is_stream=False).live((0.0, 3.0, 100.0, Parting.CLOSE))

    assert did == [("connect", 1, 0.0), ("say", 1, 3.0), ("forget", 1, pytest.approx(3.0 + GRACE_S, abs=0.11))]


def test_a_query_and_its_answer_are_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A life that is shorter than that has no last words."""
    did = Client(monkeypatch, is_stream=False).live((0.0, 0.01, 100.0, Parting.CLOSE))

    assert [what for what, *_ in did] == ["connect", "forget"]


def test_an_attempt_without_an_answer_is_given_up_before_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second datagram would be a second attempt."""
    did = Client(monkeypatch, is_stream=False, silent={1}).live((0.0, 3.0, 1.0, Parting.CLOSE))

    assert [what for what, *_ in did][:2] == ["connect", "give up"]


def test_all_is_over_with_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for lives that nobody looks at."""
    client = Client(monkeypatch, is_stream=True)
    client.live((0.0, 500.0, 1000.0, Parting.CLOSE))

    assert client.now < 120.0
    assert client.did[-2:] == [
        ("forget", 1, pytest.approx(9.0, abs=0.2)),
        ("forget", 2, pytest.approx(9.0, abs=0.2)),
    ]
