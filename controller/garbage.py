"""Python's cyclic garbage collector, told that most of what this process makes is there to stay.

The collector walks whatever was made lately after every 700 objects, and now and then all there is: with 64,512
mappings that takes a quarter of the time of a set-up, and stops the controller for 50 ms at a time. It would find
nothing: what the NAT lets go of is in no cycle, which a test proves, and goes by its reference count. For what the
frameworks leave behind, it need not come often.
"""

from __future__ import annotations

import gc

OBJECTS = 100_000
"""How many more objects there must be before the collector looks at the youngest."""
YOUNG_ROUNDS = 50
"""How many such rounds there are to one over those that survived a round."""


def collect_seldom() -> None:
    """Leave alone what there is now, and look at what comes only after many thousands of objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, YOUNG_ROUNDS, YOUNG_ROUNDS)
