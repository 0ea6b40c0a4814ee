"""Ageing without `idle_timeout`: which mappings share a cookie, so that one request counts their packets.

Open vSwitch walks every rule that has a timeout after each revalidation, which is quadratic in a fill; so
ours have none. Mappings that were made together are due for examination together: they form a bucket, whose
number is their rules' cookie. A bucket is asked for only when one of its mappings is due.
"""

from __future__ import annotations

from collections.abc import Iterable

from controller.nat.model import Mapping

BUCKET_SIZE = 1000
"""Mappings in a bucket at most: a reply of 2,000 rules takes the switch some 3 ms."""
BUCKET_SPAN_S = 0.5
"""A bucket takes new mappings for this long."""


class Ageing:
    """Buckets of mappings, by cookie."""

    def __init__(self) -> None:
        self._members: dict[int, dict[Mapping, None]] = {}
        self._cookies: dict[Mapping, int] = {}
        self._newest = 0
        self._closes_at = 0.0

    def add(self, mapping: Mapping, now: float) -> int:
        """Put a new mapping into the newest bucket and return its cookie, which is never 0."""
        if now >= self._closes_at or len(self._members.get(self._newest, ())) >= BUCKET_SIZE:
            self._newest += 1
            self._closes_at = now + BUCKET_SPAN_S
        self._members.setdefault(self._newest, {})[mapping] = None
        self._cookies[mapping] = self._newest
        return self._newest

    def remove(self, mapping: Mapping) -> int:
        """Forget a mapping and return the cookie that it had."""
        cookie = self._cookies.pop(mapping)
        members = self._members[cookie]
        del members[mapping]
        if not members:
            del self._members[cookie]
        return cookie

    def cookie(self, mapping: Mapping) -> int:
        """Return the cookie of a mapping's rules."""
        return self._cookies[mapping]

    def buckets(self, mappings: Iterable[Mapping]) -> list[int]:
        """Return the cookies of `mappings`, each once."""
        return list(dict.fromkeys(self._cookies[mapping] for mapping in mappings))

    def members(self, cookie: int) -> list[Mapping]:
        """Return the mappings of a bucket."""
        return list(self._members.get(cookie, ()))
