"""Python's cyclic garbage collector, set up for a process whose objects live long.

By default the collector examines new objects after every 700 of them, and from time to time all objects. With
64,512 mappings that takes a quarter of the time of a set-up, and stops the controller for 20 to 40 ms at a time.
It would find nothing: what the NAT releases is in no cycle, which a test proves, and is freed by its reference
count. For what a framework leaves behind, the collector need not run often, nor examine old objects.
"""

from __future__ import annotations

import gc

NEW_OBJECTS = 10_000
"""The number of new objects after which the collector examines them, for about a millisecond."""
ROUNDS = 1_000
"""The number of such rounds before one over the objects that survived them."""


def collect_seldom() -> None:
    """Never examine the objects that there are now, and examine new ones only by the thousand."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, ROUNDS, ROUNDS)
