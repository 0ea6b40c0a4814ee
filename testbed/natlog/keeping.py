"""Keeping a log: what becomes of mappings, as lines of one kind, and how many lines and bytes that is.

A block is its owner's until another subscriber gets it: only then does the log have its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address

from controller.nat.port_set import Blocks

KINDS = ("mappings", "blocks")


@dataclass(slots=True)
class Volume:
    """Lines, and the bytes of all of them, each with its end."""

    lines: int = 0
    size: int = 0

    def add(self, line: str) -> None:
        """Count a line."""
        self.lines += 1
        self.size += len(line) + 1


class Log:
    """A log of one kind. Each line goes to `write`, and is counted."""

    def __init__(self, kind: str, blocks: Blocks, write: Callable[[str], object] = lambda line: None) -> None:
        self.kind = kind
        self.volume = Volume()
        self._blocks = blocks
        self._write = write
        self._owners: dict[tuple[str, int, int], int] = {}

    def created(self, at: str, protocol: str, address: int, port: int, subscriber: int) -> None:
        """Take note of a new mapping, at a time as lines have it."""
        if self.kind == "mappings":
            self._line(f"{at} open {protocol} {dotted(address)} {port} {dotted(subscriber)}")
            return
        number = self._blocks.number(port)
        key = protocol, address, number
        owner = self._owners.get(key)
        if owner == subscriber:
            return
        ports = self._blocks[number]
        what = f"{protocol} {dotted(address)} {ports[0]}-{ports[-1]}"
        if owner is not None:
            self._line(f"{at} unblock {what} {dotted(owner)}")
        self._owners[key] = subscriber
        self._line(f"{at} block {what} {dotted(subscriber)}")

    def released(self, at: str, protocol: str, address: int, port: int, subscriber: int) -> None:
        """Take note of the end of a mapping."""
        if self.kind == "mappings":
            self._line(f"{at} close {protocol} {dotted(address)} {port} {dotted(subscriber)}")

    def _line(self, line: str) -> None:
        self.volume.add(line)
        self._write(line)


@cache
def dotted(address: int) -> str:
    """Return an address in dotted notation."""
    return str(IPv4Address(address))
