"""One allocator of a submission, and what the grading knows about it: who has which port, and the last calls."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from testbed.labs.submission import Submission, Value

FIRST_SUBSCRIBER = int(ipaddress.ip_address("10.0.0.1"))
FIRST_SOCKET = 40000
FIRST_NEW = 1_000_000
"""The number of the first subscriber that comes when others have asked."""
KEPT = 5
"""The number of calls that are shown with a point that is lost."""


class Socket(NamedTuple):
    """An inside socket: the number of its subscriber, and its number there."""

    subscriber: int
    number: int

    @property
    def address(self) -> int:
        """The subscriber's address."""
        return FIRST_SUBSCRIBER + self.subscriber

    @property
    def port(self) -> int:
        """The socket's own port."""
        return FIRST_SOCKET + self.number

    def __str__(self) -> str:
        return f"{ipaddress.ip_address(self.address)}:{self.port}"


class WrongError(Exception):
    """A requirement is not met: what was seen, what was expected, and the calls just before."""

    def __init__(self, seen: str, expected: str, calls: Sequence[str] = ()) -> None:
        super().__init__(f"{seen}; expected {expected}")
        self.seen, self.expected, self.calls = seen, expected, tuple(calls)


class Trial:
    """An allocator under test. Time is simulated: each call is one second after the one before."""

    def __init__(self, submission: Submission, ranges: Sequence[range], seed: int) -> None:
        self._submission = submission
        self._number = submission.new(ranges, seed)
        self._log: list[str] = []
        self._batch = 0
        self._subscribers = FIRST_NEW
        self._now = 0.0
        self.ranges = ranges
        self.given: dict[int, Socket] = {}
        """The owner of each port that is taken."""

    @property
    def size(self) -> int:
        """The number of ports."""
        return sum(map(len, self.ranges))

    def allocate(self, sockets: Sequence[Socket]) -> list[Value]:
        """Ask for a port for each socket in turn, and return what came back."""
        calls = [("allocate", each.address, each.port, self._tick()) for each in sockets]
        values = self._submission.call(self._number, calls)
        self._batch = len(self._log)
        for socket, value in zip(sockets, values, strict=True):
            self._log.append(f"allocate({socket}) -> {value}")
            if isinstance(value, int):
                self.given[value] = socket
        return values

    def newcomers(self, count: int) -> list[Socket]:
        """Return sockets of subscribers that have asked for nothing yet, one of each."""
        self._subscribers += count
        return [Socket(number, 0) for number in range(self._subscribers - count, self._subscribers)]

    def release(self, ports: Sequence[int]) -> None:
        """Give ports back. Raises WrongError if the allocator does not take one."""
        values = self._submission.call(self._number, [("release", port, self._tick()) for port in ports])
        for port, value in zip(ports, values, strict=True):
            self._log.append(f"release({port}) -> {value}")
            if value is not None:
                raise self.wrong(f"release({port}) {value}", "that a port that was given is taken back")
            del self.given[port]

    def free(self) -> Value:
        """Return the allocator's length."""
        (value,) = self._submission.call(self._number, [("len",)])
        self._log.append(f"len() -> {value}")
        return value

    def wrong(self, seen: str, expected: str, *, at: int | None = None) -> WrongError:
        """Return what is wrong, with the last calls up to now, or up to a place in the last call of `allocate`."""
        end = len(self._log) if at is None else self._batch + at + 1
        return WrongError(seen, expected, self._log[max(0, end - KEPT) : end])

    def _tick(self) -> float:
        self._now += 1.0
        return self._now


def sockets(count: int, of_each: int = 4) -> list[Socket]:
    """Return sockets of several subscribers, so few of each that no quota matters."""
    return [Socket(place // of_each, place % of_each) for place in range(count)]
