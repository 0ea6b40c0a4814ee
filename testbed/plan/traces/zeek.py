"""Zeek's `conn.log`: a line for each connection, with its start, its duration and how it ended (`conn_state`).

With tabs the head names the fields; as JSON each line is an object. Zeek writes a connection when it is over, so
the lines are not in the order of their starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending
from testbed.plan.traces.record import Record, Trace, TraceError

FIELDS = ("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "duration", "conn_state")
ENDINGS = {
    "SF": Ending.FIN,
    "S0": Ending.UNANSWERED,
    **dict.fromkeys(("REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH"), Ending.RESET),
    **dict.fromkeys(("S1", "S2", "S3", "SH", "SHR", "OTH"), Ending.SILENCE),
}
"""How a TCP connection ended, by Zeek's `conn_state`."""
UNSET = ("-", "(empty)", None)
PROTOCOLS = {"tcp": Protocol.TCP, "udp": Protocol.UDP}
LONGEST_S = 10_000_000.0


def read(lines: Iterable[str]) -> Trace:
    """Return the attempts of a log. Raises TraceError with the line that is none of it."""
    trace = Trace()
    for number, fields in _rows(lines):
        try:
            record = _record(fields, trace)
        except (KeyError, TypeError, ValueError) as error:
            raise TraceError(f"line {number}: {_reason(error)}") from None
        if record is not None:
            trace.add(record)
    return trace


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the number of each line, and its fields by their names."""
    names: list[str] = []
    separator = "\t"
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if text.startswith("#separator"):
            separator = _separator(text.partition(" ")[2], number)
        elif text.startswith("#fields"):
            names = text.split(separator)[1:]
            if missing := [each for each in FIELDS if each not in names]:
                raise TraceError(f"line {number}: conn.log lacks the field {missing[0]}")
        elif text.startswith("{"):
            yield number, _object(text, number)
        elif text and not text.startswith("#"):
            values = text.split(separator)
            if not names:
                raise TraceError(f"line {number}: there is no line with #fields before it")
            if len(values) != len(names):
                raise TraceError(f"line {number}: it has {len(values)} fields, and #fields names {len(names)}")
            yield number, dict(zip(names, values, strict=True))


def _separator(escaped: str, number: int) -> str:
    """Return the separator that the head names by its code."""
    try:
        return escaped.encode().decode("unicode_escape") or "\t"
    except UnicodeError:
        raise TraceError(f"line {number}: #separator {escaped!r} is no character, such as \\x09") from None


def _object(text: str, number: int) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"line {number}: it is no JSON: {error}") from None
    assert isinstance(found, dict)  # it begins with a brace
    return found


def _record(fields: Mapping[str, object], trace: Trace) -> Record | None:
    """Return a connection, or None if it is none of a NAT's."""
    hosts = [ip_address(str(fields[f"id.{side}_h"])) for side in ("orig", "resp")]
    ports = [_port(fields[f"id.{side}_p"]) for side in ("orig", "resp")]
    at, state = _number(fields["ts"], "ts"), fields.get("conn_state")
    lasted = fields.get("duration")
    duration = 0.0 if lasted in UNSET else _number(lasted, "duration")
    protocol = PROTOCOLS.get(str(fields["proto"]))
    if any(isinstance(each, IPv6Address) for each in hosts):
        trace.leave_out("IPv6")
        return None
    if protocol is None:
        trace.leave_out("neither TCP nor UDP")
        return None
    ending = Ending.SILENCE
    if protocol is Protocol.TCP:
        if state not in ENDINGS:
            raise ValueError(f"conn_state {state!r} is none of {', '.join(ENDINGS)}")
        ending = ENDINGS[str(state)]
    source, destination = (
        Endpoint(int(host), port) for host, port in zip(hosts, ports, strict=True) if isinstance(host, IPv4Address)
    )
    return Record(at, at + duration, protocol, source, destination, ending)


def _number(value: object, name: str) -> float:
    number = float(str(value))
    if not 0 <= number < (1e12 if name == "ts" else LONGEST_S):
        raise ValueError(f"{name}={value} is no time")
    return number


def _port(value: object) -> int:
    if not str(value).isdecimal() or int(str(value)) > 65535:
        raise ValueError(f"{value!r} is no port")
    return int(str(value))


def _reason(error: Exception) -> str:
    return f"there is no {error.args[0]}" if isinstance(error, KeyError) else str(error)
