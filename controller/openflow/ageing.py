"""Ageing without `idle_timeout`: flows that share a cookie, so that one request counts their packets.

After each revalidation Open vSwitch visits every rule that has a timeout, which is quadratic in a fill. So our
rules have none. Flows that were made together are due for examination together: they form a bucket, whose number
is their rules' cookie. The controller asks for a bucket only when one of its flows is due.
"""

from __future__ import annotations

from collections.abc import Iterable

from controller.nat.model import Flow

BUCKET_SIZE = 1000
"""The most flows in a bucket: a reply with 2,000 rules takes the switch some 3 ms."""
BUCKET_SPAN_S = 0.5
"""The time for which a bucket takes new flows."""


class Ageing:
    """Buckets of flows, by cookie. Only the newest may be empty."""

    def __init__(self) -> None:
        self._members: dict[int, dict[Flow, None]] = {}
        self._cookies: dict[Flow, int] = {}
        self._newest = 0
        self._closes_at = 0.0
        self._places = 0

    def add(self, flow: Flow, now: float) -> int:
        """Put a new flow into the newest bucket and return its cookie, which is never 0."""
        if now >= self._closes_at or not self._places:
            self._begin_bucket(now)
        self._places -= 1
        cookie = self._cookies[flow] = self._newest
        self._members[cookie][flow] = None
        return cookie

    def _begin_bucket(self, now: float) -> None:
        if not self._members.get(self._newest, True):
            del self._members[self._newest]
        self._newest += 1
        self._members[self._newest] = {}
        self._closes_at = now + BUCKET_SPAN_S
        self._places = BUCKET_SIZE

    def remove(self, flow: Flow) -> int:
        """Forget a flow and return the cookie that it had."""
        cookie = self._cookies.pop(flow)
        members = self._members[cookie]
        del members[flow]
        if not members and cookie != self._newest:
            del self._members[cookie]
        return cookie

    def cookie(self, flow: Flow) -> int:
        """Return the cookie of a flow's rules."""
        return self._cookies[flow]

    def buckets(self, flows: Iterable[Flow]) -> list[int]:
        """Return the cookies of `flows`, each once."""
        return list(dict.fromkeys(self._cookies[flow] for flow in flows))

    def members(self, cookie: int) -> list[Flow]:
        """Return the flows of a bucket."""
        return list(self._members.get(cookie, ()))
