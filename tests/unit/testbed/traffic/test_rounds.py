"""How attempts follow one another: in a window that adapts, by a clock that only a poll advances."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.traffic import pending, rounds
from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.pending import LONGEST_PAUSE_S
from testbed.traffic.rounds import SILENCE_S, Round

PATIENCE_S = 2.0


class Server:
    """A client's sockets and who answers on them: at the next poll, or late, or never."""

    is_stream = True

    def __init__(self, monkeypatch: pytest.MonkeyPatch, late: dict[int, float]) -> None:
        """`late`: after how many seconds attempts are answered that are not answered at once."""
        self.orders = SimpleNamespace(tell=lambda **_: None)
        self.late = late
        self.stalls: list[float] = []
        self.asks_again: dict[int, float] = {}
        self.given_up: list[int] = []
        self.now = 0.0
        self.begun: list[int] = []
        self.waiting: list[LiveAttempt] = []
        for module in (pending, rounds):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def connect(self, attempt: LiveAttempt) -> None:
        """Begin an attempt."""
        self.begun.append(attempt.number)
        self.waiting.append(attempt)

    def poll(self, pause: float, current: Any) -> None:
        """Let the time pass, and answer those whose time has come. Then the process may stand still."""
        self.now += pause
        for attempt in list(self.waiting):
            if self.now >= attempt.sent_at + self.asks_again.get(attempt.number, 1e9):
                attempt.asked_at = attempt.sent_at + self.asks_again[attempt.number]
            if self.now >= attempt.sent_at + self.late.get(attempt.number, 0.0):
                self.waiting.remove(attempt)
                current.answered(attempt)
        self.now += self.stalls.pop() if self.stalls else 0.0

    def give_up(self, attempt: LiveAttempt) -> None:
        """Nobody answers it."""
        self.given_up.append(attempt.number)
        self.waiting.remove(attempt)

    def run(self, count: int, *, ahead: int, window: int = 1, rate: float | None = None) -> list[LiveAttempt]:
        """Carry out `count` attempts, and return them."""
        attempts = [LiveAttempt(number, number, "", ("", 0), "", 0) for number in range(1, count + 1)]
        both = Round(self, PATIENCE_S, window, 64, rate)  # type: ignore[arg-type]
        for part, has_room in ((attempts[:ahead], True), (attempts[ahead:], False)):
            both.run(part, self.connect, has_room=has_room)
        return attempts


@pytest.mark.parametrize("ahead", [0, 5])
def test_no_attempt_beyond_the_first_ones_overtakes_one_of_them(
    monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """The fourth attempt is silent until it leaves the window; only others of the first part begin meanwhile."""
    server = Server(monkeypatch, {4: 8 * SILENCE_S})

    *_, fourth, fifth, sixth, _, _ = server.run(8, ahead=ahead)

    assert server.begun == [1, 2, 3, 4, 5, 6, 7, 8]
    assert fifth.sent_at < fourth.done_at, "one of the first may"
    assert (sixth.sent_at < fourth.done_at) == (ahead == 0)


def test_a_rate_spreads_the_starts_though_the_window_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box is spared: ten new connections a second, also in the second part."""
    server = Server(monkeypatch, {})

    attempts = server.run(6, ahead=3, window=64, rate=10)

    gaps = [later.sent_at - earlier.sent_at for earlier, later in itertools.pairwise(attempts)]
    assert len(gaps) == 5
    assert all(0.1 <= round(gap, 6) <= 0.1 + 2 * LONGEST_PAUSE_S for gap in gaps)


def test_the_latency_that_was_learned_from_the_first_ones_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a full NAT later attempts are silent: they start as fast as the first ones were answered."""
    never = dict.fromkeys(range(65, 129), 10 * PATIENCE_S)
    server = Server(monkeypatch, never)

    server.run(128, ahead=64, window=16)

    assert server.now < 2 * PATIENCE_S


def test_patience_ends_among_the_first_ones_and_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that is never answered holds up the others until its patience ends."""
    server = Server(monkeypatch, {2: 10 * PATIENCE_S, 4: 10 * PATIENCE_S})

    server.run(4, ahead=2)

    assert server.begun == [1, 2, 3, 4]
    assert 2 * PATIENCE_S <= server.now < 2 * PATIENCE_S + 8 * LONGEST_PAUSE_S


def test_an_answer_that_waits_to_be_taken_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process itself stood still for longer than its patience: attempts were answered, and it was late."""
    server = Server(monkeypatch, {1: PATIENCE_S / 2, 2: 10 * PATIENCE_S})
    server.stalls = [2 * PATIENCE_S]

    attempts = server.run(2, ahead=0, window=2)

    assert [attempt.waiting for attempt in attempts] == [False, False]
    assert server.given_up == [2]


def test_patience_begins_anew_with_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was made in time has its own time for the answer to its hello."""
    server = Server(monkeypatch, {1: 1.5 * PATIENCE_S})
    server.asks_again = {1: 0.75 * PATIENCE_S}

    server.run(1, ahead=0)

    assert server.given_up == []


@pytest.mark.parametrize(("ahead", "least", "most"), [(0, 1400, 1500), (2000, 64, 640)], ids=["full", "slow"])
def test_a_gateway_that_stands_still_is_not_asked_faster_while_it_has_room(
    monkeypatch: pytest.MonkeyPatch, ahead: int, least: int, most: int
) -> None:
    """A full one may be asked as fast as it answered. A slow one would never again be quick enough."""
    server = Server(monkeypatch, dict.fromkeys(range(501, 2001), 10 * PATIENCE_S))

    attempts = server.run(2000, ahead=ahead, window=64)

    stood = attempts[500].sent_at
    assert least <= sum(stood < attempt.sent_at <= stood + PATIENCE_S for attempt in attempts) <= most
