"""Reading the packet counts of the flow rules, by fixed offsets.

A bucket's reply has two thousand rules. The framework's own reader makes some twenty objects of each, and the
controller would stand still for seconds. All that is needed of a rule is its endpoints and its count (OpenFlow
1.3.5 sections 7.3.5.2 and 7.2.3.2).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from controller.nat.model import Endpoint, Protocol
from controller.openflow.rules import Table

_ENTRY = struct.Struct("!HB29xQ")
"""Of an ofp_flow_stats: length, table, then the packet count."""
_MATCH_AT = 48
_OPENFLOW_BASIC = 0x8000
_IP_PROTO, _IPV4_SRC, _IPV4_DST = 10, 11, 12
_PROTOCOLS = {6: (Protocol.TCP, 13, 14), 17: (Protocol.UDP, 15, 16)}
"""Protocols by their numbers, with the numbers of the OXM fields of their ports."""
_OTHER = (Protocol.ICMP, -1, -1)
_OUTBOUND = Table.OUTBOUND
_TABLES = {int(table): table for table in (Table.OUTBOUND, Table.INBOUND)}
_FIELD = struct.Struct("!HBB")
_VALUES = {
    1: struct.Struct("!B").unpack_from,
    2: struct.Struct("!H").unpack_from,
    4: struct.Struct("!I").unpack_from,
}


class RuleCount(NamedTuple):
    """The packets that a flow's rule has matched, by the flow's internal (or external) endpoint and its peer."""

    table: Table
    protocol: Protocol
    endpoint: Endpoint
    peer: Endpoint
    packets: int


class FlowStatistics:
    """An entry of a reply, in place of the framework's own class. `count` is None for a rule of no flow."""

    __slots__ = ("count", "length")

    def __init__(self, length: int, count: RuleCount | None) -> None:
        self.length = length
        self.count = count

    @classmethod
    def parser(cls, buffer: bytes, offset: int) -> FlowStatistics:
        """Read the entry at `offset`. The framework calls this method by its name."""
        length, number, packets = _ENTRY.unpack_from(buffer, offset)
        table = _TABLES.get(number)
        if table is None:
            return cls(length, None)
        fields = _fields(buffer, offset + _MATCH_AT)
        protocol, source_port, destination_port = _PROTOCOLS.get(fields.get(_IP_PROTO, 0), _OTHER)
        is_outbound = table is _OUTBOUND
        if (source_port if is_outbound else destination_port) not in fields:
            return cls(length, None)  # it serves no endpoint
        source = Endpoint(fields.get(_IPV4_SRC, 0), fields.get(source_port, 0))
        destination = Endpoint(fields.get(_IPV4_DST, 0), fields.get(destination_port, 0))
        ends = (source, destination) if is_outbound else (destination, source)
        return cls(length, RuleCount(table, protocol, *ends, packets))


def _fields(buffer: bytes, at: int) -> dict[int, int]:
    """Return the fields of a match that have no mask, by their numbers. An address is the longest."""
    (length,) = struct.unpack_from("!H", buffer, at + 2)
    end, at, found = at + length, at + 4, {}
    while at < end:
        kind, field, size = _FIELD.unpack_from(buffer, at)
        if kind == _OPENFLOW_BASIC and not field & 1 and size in _VALUES:
            (found[field >> 1],) = _VALUES[size](buffer, at + 4)
        at += 4 + size
    return found
