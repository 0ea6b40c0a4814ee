"""What an allocator or a policy of one's own imports: `from controller.api import Allocator, PortPlan`.

An allocator chooses the port of each new mapping: derive from `Allocator`. A policy decides on each packet that
cannot get what it needs: derive from `Policy`. The docstrings of these two classes are the whole contract.

A class is used by its file: `lastport run port-exhaustion --allocator FILE.py`, or `--set on_exhaustion=FILE.py`.
"""

from __future__ import annotations

from controller.nat.model import Answer, Endpoint, Limit, Mapping, Packet, Protocol
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.exhaustion.policy import Decision, Evict, Policy, Shortage, Wait

__all__ = [
    "Allocator",
    "Answer",
    "Decision",
    "Endpoint",
    "Evict",
    "Limit",
    "Mapping",
    "Packet",
    "Policy",
    "PortPlan",
    "Protocol",
    "Shortage",
    "Wait",
]
