"""Connections that somebody at the prompt opens and closes: `open` and `close`, by the traffic of any scenario.

Servers for them start with the first `open`, at every server's addresses. Each connection is a real socket of the
host's kernel, and stays open until `close` or the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from testbed.experiment.experiment import Experiment
from testbed.shell import look
from testbed.shell.refused import RefusedError
from testbed.traffic.drive import Clients, Servers
from testbed.traffic.records import Attempt, Opening

PORT = 7007
"""The first port at which servers answer. Further ones follow if a pair of programs has no room for more."""
PROTOCOLS = ("tcp", "udp")
ROOM = 4096
"""The connections that a pair of programs has room for, at least."""
MOST = 64_512
"""The most connections of one `open`: a host has that many ports."""
PATIENCE_S = 3.0
WINDOW = 256
ESTABLISHED = "established"
Refused = tuple[str, Attempt, dict[str, int | None]]
"""An attempt that failed: its protocol, the attempt, and the NAT's counters before it."""


@dataclass(slots=True)
class _Pair:
    """Programs that act for clients and for servers."""

    servers: Servers
    clients: Clients
    room: int
    made: int = 0


@dataclass(slots=True)
class _Opened:
    """What a host has tried by `open`: what is open, newest last, and the last that was refused."""

    open: list[tuple[_Pair, str, Attempt]] = field(default_factory=list)
    refused: Refused | None = None


class Attempts:
    """The connections of one prompt."""

    def __init__(self, x: Experiment[Any]) -> None:
        self._x = x
        self._pairs: dict[str, _Pair] = {}
        self._ports = 0
        self._of_host: dict[str, _Opened] = {}

    def open(self, *words: str) -> Iterator[str]:
        """Open connections, and yield what became of them."""
        host, server, number, protocol = self._asked(words)
        place, address = look.place(self._x, host), self._address(server)
        gateway = self._x.lab.gateways[look.gateway_of(self._x, host)]
        before = dict(gateway.counters(protocol))
        pair = self._pair(protocol, number)
        target = next(each for each in pair.servers.targets if each[0] == address)
        openings = [Opening(pair.made + each, place, target) for each in range(1, number + 1)]
        pair.made += number
        try:
            attempts = pair.clients.open(
                openings, patience=PATIENCE_S, first_window=WINDOW, window=WINDOW, progress=lambda done: None
            )
        except KeyboardInterrupt:
            del self._pairs[protocol]  # its programs still do what they were asked, and nobody takes their answer
            raise
        opened = self._of_host.setdefault(host, _Opened())
        opened.open += [(pair, protocol, each) for each in attempts if each.outcome == ESTABLISHED]
        refused = [each for each in attempts if each.outcome != ESTABLISHED]
        if refused:
            opened.refused = protocol, max(refused, key=lambda each: each.sent_at), before
        kept = number - len(refused)
        yield f"{host} opened {kept:,} of {number:,} {protocol} connections to {server}" + _why(refused)

    def close(self, *words: str) -> Iterator[str]:
        """Close connections of a host, the newest first."""
        if len(words) not in (1, 2):
            raise RefusedError("it is close HOST [N]")
        host = words[0]
        look.place(self._x, host)
        has = self._of_host.get(host, _Opened()).open
        number = _number(words[1], most=len(has)) if len(words) == 2 and has else len(has)
        if not has:
            raise RefusedError(f"{host} has no open connection that `open` made at this prompt")
        closing, has[len(has) - number :] = has[len(has) - number :], []
        for pair in {id(each): each for each, _, _ in closing}.values():
            for numbers in _ranges([attempt.number for each, _, attempt in closing if each is pair]):
                pair.clients.close(numbers, window=WINDOW, progress=lambda done: None)
        yield f"{host} closed {number:,} connection{'s' * (number != 1)}, and has {len(has):,} open"

    def last_refused(self, host: str) -> Refused | None:
        """Return the last attempt of `open` that failed."""
        return self._of_host.get(host, _Opened()).refused

    def _asked(self, words: tuple[str, ...]) -> tuple[str, str, int, str]:
        if len(words) not in (3, 4) or (len(words) == 4 and words[3] not in PROTOCOLS):
            raise RefusedError("it is open HOST SERVER N [tcp|udp]")
        return words[0], words[1], _number(words[2], most=MOST), words[3] if len(words) == 4 else PROTOCOLS[0]

    def _address(self, server: str) -> str:
        """Return the address of a server, by its name or by the address itself."""
        servers = {name: self._x.lab.topology.addresses[name] for name in self._x.lab.topology.servers}
        if server in servers:
            return str(servers[server][0])
        if any(server == str(address) for each in servers.values() for address in each):
            return server
        known = ", ".join(f"{name} ({', '.join(map(str, each))})" for name, each in servers.items())
        raise RefusedError(f"{server} is no server; take one of {known}")

    def _pair(self, protocol: str, number: int) -> _Pair:
        """Return programs that have room for this number of further connections."""
        pair = self._pairs.get(protocol)
        if pair is not None and pair.room - pair.made >= number:
            return pair
        addresses = sum(len(self._x.lab.topology.addresses[name]) for name in self._x.lab.topology.servers)
        room, port = max(ROOM, number), PORT + self._ports
        self._ports += 1
        servers = self._x.lab.serve(protocol, destinations=addresses, capacity=room, port=port)
        clients = self._x.lab.drive(protocol, attempts=room)
        self._pairs[protocol] = _Pair(servers, clients, room)
        return self._pairs[protocol]


def _why(refused: list[Attempt]) -> str:
    """Return what the refused attempts saw, in words."""
    if not refused:
        return ""
    seen = Counter(f"{each.outcome} {each.detail}".strip() for each in refused)
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in seen.items())
    return f"; {len(refused):,} failed ({told})"


def _number(text: str, *, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise RefusedError(f"{text!r} is no number from 1 to {most:,}")
    return int(text)


def _ranges(numbers: list[int]) -> Iterator[range]:
    """Yield ranges that have these numbers and no others."""
    numbers = sorted(numbers)
    first = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield range(numbers[first], number + 1)
            first = place + 1
