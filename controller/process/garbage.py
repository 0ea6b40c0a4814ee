"""Python's cyclic garbage collector, told that what this process makes is there to stay.

The collector walks whatever is new after every 700 objects, and now and then all there is: with 64,512 mappings
that takes a quarter of the time of a set-up, and stops the controller for 20 to 40 ms at a time. It would find
nothing: what the NAT lets go of is in no cycle, which a test proves, and goes by its reference count. For what a
framework leaves behind, it need not come often, nor look at what is old.
"""

from __future__ import annotations

import gc

NEW_OBJECTS = 10_000
"""How many new objects there must be before the collector looks at them, for about a millisecond."""
ROUNDS = 1_000
"""How many such rounds there are to one over what survived them."""


def collect_seldom() -> None:
    """Leave alone what there is now, and look at what comes only by the thousand."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, ROUNDS, ROUNDS)
