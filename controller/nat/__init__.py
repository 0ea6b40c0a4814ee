"""The NAT as a pure state machine, in the words of RFC 4787.

It does no I/O and never asks what time it is. Every call takes a packet (or a timer) and `now`, in float seconds,
and returns a verdict. What else happened is a queue of events. Randomness comes from a generator that the caller
seeds. Nothing here knows OpenFlow, Ryu, or any library beside Python's own.

Read `model` (the nouns), `translator` (the NAT itself), then `pool`, `tcp` and `timers`.
"""
