"""The lines of a log. Each begins with a time and a verb, and has all that RFC 6888 REQ-12 asks for and no more.

    2026-11-29T10:02:00.250Z open tcp 192.0.2.1 5000 100.64.0.7
    2026-11-29T10:02:31.500Z close tcp 192.0.2.1 5000 100.64.0.7
    2026-11-29T10:02:00.250Z block udp 192.0.2.1 1024-1535 100.64.0.7
    2026-11-29T10:09:00.000Z unblock udp 192.0.2.1 1024-1535 100.64.0.7
    2026-11-29T10:00:00.000Z deterministic 192.0.2.1,192.0.2.2 1024-65535 512 100.64.0.0/25

The last one is a configuration: external addresses, ports of each, ports of a block, and the inside network whose
addresses have a block each, in turn over the external addresses (RFC 7422 section 2).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

PROTOCOLS = ("tcp", "udp", "icmp")
BEGINS = {"open": True, "close": False, "block": True, "unblock": False}
DETERMINISTIC = "deterministic"
MOST_PORT = 65535
LONGEST = 4096


class LineError(ValueError):
    """A line is none of a log: the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """From this time on, an inside address has these ports of an external address, or no longer has them."""

    at: datetime
    begins: bool
    protocol: str
    address: str
    ports: range
    subscriber: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Blocks of ports by arithmetic, from this time on."""

    at: datetime
    addresses: tuple[str, ...]
    ports: range
    size: int
    inside: ipaddress.IPv4Network

    @property
    def blocks(self) -> int:
        """The number of whole blocks of an external address."""
        return len(self.ports) // self.size

    @property
    def room(self) -> int:
        """The number of inside addresses that have a block."""
        return self.blocks * len(self.addresses)

    def block_of(self, subscriber: str) -> tuple[str, range]:
        """Return the external address and the ports of an inside address. Raises ValueError without any."""
        place = int(ipaddress.IPv4Address(subscriber)) - int(self.inside.network_address)
        if not 0 <= place < min(self.room, self.inside.num_addresses):
            raise ValueError(f"{subscriber} has no block")
        number, address = divmod(place, len(self.addresses))
        first = self.ports[number * self.size]
        return self.addresses[address], range(first, first + self.size)

    def subscriber_of(self, address: str, port: int) -> str | None:
        """Return the inside address that has a port of an external one: the inverse of `block_of`."""
        if address not in self.addresses or port not in self.ports:
            return None
        number = (port - self.ports.start) // self.size
        place = number * len(self.addresses) + self.addresses.index(address)
        if number >= self.blocks or place >= self.inside.num_addresses:
            return None
        return str(self.inside[place])

    def line(self) -> str:
        """Return it as a line."""
        first, last = self.ports[0], self.ports[-1]
        addresses = ",".join(self.addresses)
        return f"{stamp(self.at)} {DETERMINISTIC} {addresses} {first}-{last} {self.size} {self.inside}"


def stamp(at: datetime) -> str:
    """Return a time in UTC, with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def read(lines: Iterable[str]) -> Iterator[Entry | Assignment]:
    """Yield the entries of a log. Raises LineError with the number of a line that is none."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            yield parsed(text)
        except ValueError as error:
            raise LineError(f"line {number}: {error}") from None


def parsed(text: str) -> Entry | Assignment:
    """Return what a line says. Raises ValueError for one that is none of a log."""
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text):,} characters")
    words = text.split()
    if len(words) != 6:
        raise ValueError(f"it has {len(words)} words and not 6: time, verb, and four more")
    at = time(words[0])
    if words[1] == DETERMINISTIC:
        return _assignment(at, *words[2:])
    if words[1] not in BEGINS:
        raise ValueError(f"{words[1]!r} is no verb; there are {', '.join((*BEGINS, DETERMINISTIC))}")
    if words[2] not in PROTOCOLS:
        raise ValueError(f"{words[2]!r} is no protocol; there are {', '.join(PROTOCOLS)}")
    addresses = [str(ipaddress.IPv4Address(word)) for word in (words[3], words[5])]
    return Entry(at, BEGINS[words[1]], words[2], addresses[0], ports(words[4]), addresses[1])


def _assignment(at: datetime, addresses: str, of_each: str, size: str, inside: str) -> Assignment:
    external = tuple(str(ipaddress.IPv4Address(each)) for each in addresses.split(","))
    every = ports(of_each)
    if not size.isdecimal() or not 1 <= int(size) <= len(every):
        raise ValueError(f"{size!r} is no number of ports from 1 to {len(every)}")
    return Assignment(at, external, every, int(size), ipaddress.IPv4Network(inside))


def ports(text: str) -> range:
    """Return a port, or the ports of a range. Raises ValueError for anything else."""
    first, dash, last = text.partition("-")
    ends = [first, last if dash else first]
    if not all(each.isdecimal() and int(each) <= MOST_PORT for each in ends) or int(ends[0]) > int(ends[1]):
        raise ValueError(f"{text!r} are no ports; write one from 0 to {MOST_PORT}, or FIRST-LAST")
    return range(int(ends[0]), int(ends[1]) + 1)


def time(text: str) -> datetime:
    """Return a time of ISO 8601; without a zone it is UTC. Raises ValueError for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write one such as 2026-11-29T10:02:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
