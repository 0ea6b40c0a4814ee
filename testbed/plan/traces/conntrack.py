"""Events of Linux's connection tracking, as `conntrack -E -o timestamp` prints them.

An entry begins with NEW. Its connection is over when an UPDATE says so: TIME_WAIT or LAST_ACK after the FINs of
both sides, CLOSE after a RST. Other protocols have no such state: their last UPDATE counts as their last packet.
An entry that was there before the first line has no beginning and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending
from testbed.plan.traces.record import Record, Trace, TraceError

EVENT = re.compile(r"\[(?P<at>\d+\.\d+)\]\s+\[(?P<event>NEW|UPDATE|DESTROY)\]\s+(?P<rest>.+)")
PAIR = re.compile(r"\b(src|dst|sport|dport)=(\S+)")
STATE = re.compile(r"\b(SYN_SENT2?|SYN_RECV|ESTABLISHED|FIN_WAIT|CLOSE_WAIT|LAST_ACK|TIME_WAIT|CLOSE)\b")
PROTOCOLS = {"tcp": Protocol.TCP, "udp": Protocol.UDP}
OVER = {"LAST_ACK": Ending.FIN, "TIME_WAIT": Ending.FIN, "CLOSE": Ending.RESET}

Key = tuple[Protocol, Endpoint, Endpoint]


@dataclass(slots=True)
class _Entry:
    """An entry of the table, as far as its events have it."""

    since: float
    last: float
    ending: Ending
    is_over: bool = False

    def update(self, at: float, state: str | None) -> None:
        """Take note of an UPDATE, unless the connection was over before."""
        if self.is_over:
            return
        self.last = at
        if self.ending is Ending.UNANSWERED:
            self.ending = Ending.SILENCE  # what is updated was answered
        if state in OVER:
            self.ending, self.is_over = OVER[state], True


def read(lines: Iterable[str]) -> Trace:
    """Return the attempts of a trace. Raises TraceError with the line that is none of it."""
    trace = Trace()
    entries: dict[Key, _Entry] = {}
    now = 0.0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        found = EVENT.match(text)
        if found is None:
            raise TraceError(f"line {number}: it is no event; write them with `conntrack -E -o timestamp`")
        key = _key(found["rest"], number)
        now = float(found["at"])
        if key is None:
            trace.leave_out("neither TCP nor UDP over IPv4")
        else:
            _follow(trace, entries, key, found["event"], now, found["rest"])
    for key, entry in entries.items():
        _add(trace, key, entry, entry.last if entry.is_over or entry.ending is Ending.UNANSWERED else now)
    return trace


def _follow(trace: Trace, entries: dict[Key, _Entry], key: Key, event: str, at: float, rest: str) -> None:
    entry = entries.get(key)
    if event == "NEW":
        if entry is not None:
            _add(trace, key, entry, entry.last)
        entries[key] = _Entry(at, at, Ending.UNANSWERED if key[0] is Protocol.TCP else Ending.SILENCE)
    elif entry is None:
        trace.leave_out("begun before the trace")
    elif event == "UPDATE":
        state = STATE.search(rest)
        entry.update(at, state[1] if state else None)
    else:
        _add(trace, key, entries.pop(key), entry.last)


def _add(trace: Trace, key: Key, entry: _Entry, ends: float) -> None:
    protocol, source, destination = key
    trace.add(Record(entry.since, max(ends, entry.since), protocol, source, destination, entry.ending))


def _key(rest: str, number: int) -> Key | None:
    """Return protocol and endpoints of the original direction, or None for another protocol or IPv6."""
    protocol = next((PROTOCOLS[word] for word in rest.split()[:3] if word in PROTOCOLS), None)
    if protocol is None:
        return None
    values: dict[str, str] = {}
    for name, value in PAIR.findall(rest):
        values.setdefault(name, value)  # the first four are the original direction's
    if ":" in values.get("src", ""):
        return None
    try:
        ends = [Endpoint(int(IPv4Address(values[host])), _port(values[port])) for host, port in ENDS]
    except KeyError as error:
        raise TraceError(f"line {number}: there is no {error.args[0]}=") from None
    except ValueError as error:
        raise TraceError(f"line {number}: {error}") from None
    return protocol, ends[0], ends[1]


ENDS = (("src", "sport"), ("dst", "dport"))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError(f"{text!r} is no port")
    return int(text)
