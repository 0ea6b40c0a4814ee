"""Port blocks (RFC 8512 port-range-allocation): a subscriber gets consecutive ports by the block.

A carrier has to log which subscriber had which port. With blocks that takes one entry for each block, not one for
each mapping (RFC 6888 REQ-14, RFC 7422). Within its blocks a subscriber's ports are random (RFC 6888 REQ-15).

A subscriber (an inside address) gets another block when all of its own are full. A block with no port in use stays
with its owner, which may use it again. Once it has been idle for `port_set_timeout`, another subscriber may get
it. The price: free ports may be of no use to a subscriber that needs one (against RFC 6888 REQ-13).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from controller.nat.model import Endpoint
from controller.nat.port_set import divided
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.allocators.deck import Deck
from controller.nat.timers import Timed, TimerQueue


@dataclass(slots=True, eq=False)
class Block(Timed):
    """Consecutive ports of one subscriber. `place` is the block's index among its owner's blocks with room."""

    number: int
    owner: int
    size: int
    free: Deck
    place: int


class BlocksAllocator(Allocator):
    """Gives random ports from blocks of consecutive ports, each of which belongs to one subscriber."""

    by_subscriber: ClassVar[bool] = True

    def __init__(self, plan: PortPlan) -> None:
        self._rng = plan.rng
        self._free = len(plan.ports)
        self._blocks = divided(plan.ports, plan.port_set_size)
        self._unowned = Deck(range(len(self._blocks)), plan.rng)
        self._owned: dict[int, Block] = {}
        self._with_room: dict[int, list[Block]] = {}
        self._left_out: dict[int, set[int]] = defaultdict(set)
        self._idle: TimerQueue[Block] = TimerQueue(plan.port_set_timeout)

    def leave_out(self, port: int) -> bool:
        """Never give this port. A block of which no other is left is no subscriber's."""
        number = self._blocks.number(port)
        self._left_out[number].add(port)
        self._free -= 1
        if len(self._left_out[number]) == len(self._blocks[number]):
            self._unowned.take(number)
        return True

    def __len__(self) -> int:
        return self._free

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a port of this subscriber, or return None if its blocks are full and there is no other for it."""
        block = self._block_for(internal.address, now)
        if block is None:
            return None
        port = block.free.draw()
        self._idle.disarm(block)
        if not block.free:
            self._unlist(block)
        self._free -= 1
        return port

    def release(self, port: int, now: float) -> None:
        """Take back a port that was given. If it was the last one in use, its block is idle."""
        block = self._owned[self._blocks.number(port)]
        if not block.free:
            self._list(block)
        block.free.put_back(port)
        if len(block.free) == block.size:
            self._idle.arm(block, now)
        self._free += 1

    def _block_for(self, owner: int, now: float) -> Block | None:
        blocks = self._with_room.get(owner)
        if blocks:
            return blocks[int(self._rng.random() * len(blocks))]
        for block in self._idle.due(now):
            self._unlist(block)
            del self._owned[block.number]
            self._unowned.put_back(block.number)
        number = self._unowned.draw()
        return None if number is None else self._own(number, owner)

    def _own(self, number: int, owner: int) -> Block:
        free = Deck(self._blocks[number], self._rng)
        for port in self._left_out.get(number, ()):
            free.take(port)
        block = self._owned[number] = Block(number, owner, len(free), free, place=0)
        self._list(block)
        return block

    def _list(self, block: Block) -> None:
        blocks = self._with_room.setdefault(block.owner, [])
        block.place = len(blocks)
        blocks.append(block)

    def _unlist(self, block: Block) -> None:
        # The last of the list moves into the gap.
        blocks = self._with_room[block.owner]
        last = blocks.pop()
        if last is not block:
            blocks[block.place], last.place = last, block.place
        if not blocks:
            del self._with_room[block.owner]
