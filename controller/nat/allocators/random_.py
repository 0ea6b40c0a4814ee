"""Random port allocation (RFC 6056): every free port is equally likely.

RFC 6056 Algorithm 1 draws a port and walks on while it is taken, which is slow and no longer uniform when
the range is nearly full. Here the free ports stand in an array without order: draw a place, give the port in
it, and let the last port fill the gap. O(1), uniform, and exact to the last port.
"""

from __future__ import annotations

import random
from array import array

from controller.nat.model import Endpoint


class RandomAllocator:
    """Gives any of the free ports with equal probability."""

    def __init__(self, ports: range, rng: random.Random) -> None:
        self._free = array("H", ports)
        self._rng = rng

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, internal: Endpoint) -> int | None:
        """Take a free port, or return None if there is none."""
        if not self._free:
            return None
        place = int(self._rng.random() * len(self._free))
        port = self._free[place]
        self._free[place] = self._free[-1]
        self._free.pop()
        return port

    def release(self, port: int) -> None:
        """Take back a port that was given."""
        self._free.append(port)
