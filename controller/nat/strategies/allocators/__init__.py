"""Port allocators: which free port a new mapping gets. One file and one line here for each.

An allocator owns the free ports of one external address and one protocol (and of one destination, where ports may
overlap). Each call is O(1). It never gives a port twice without a release between. It returns None only if it has
no port for this subscriber; `linux-like` alone may also miss one. Making an allocator is O(1) too, in time and
memory: where ports may overlap, there is one for each destination.
"""

from __future__ import annotations

from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.allocators.blocks import BlocksAllocator
from controller.nat.strategies.allocators.linux_like import LinuxLikeAllocator
from controller.nat.strategies.allocators.preserving import PreservingAllocator
from controller.nat.strategies.allocators.random_ import RandomAllocator
from controller.nat.strategies.allocators.sequential import SequentialAllocator

ALLOCATORS: dict[str, type[Allocator]] = {
    "random": RandomAllocator,
    "sequential": SequentialAllocator,
    "preserving": PreservingAllocator,
    "blocks": BlocksAllocator,
    "linux-like": LinuxLikeAllocator,
}
"""By the names of the setting `port_allocation_type`."""

__all__ = ["ALLOCATORS", "Allocator", "PortPlan"]
