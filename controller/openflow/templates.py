"""Byte templates: the messages that a fill sends by the hundred thousand, without the framework's classes.

Ryu takes 370 us for the three messages of one new flow. But all flows of a shape (the protocol, and the part of
the peer that the rules match) get the same bytes, except for a transaction id, a cookie, addresses and ports. So
the framework makes each shape once with every such field 0, and once more for each field with all of its bits 1.
The bytes that differ are that field's. Filling in is then a single `Struct.pack`, less than 1 us for a pair of
rules. In a packet-out, what comes before the frame depends on port and length only, and is remembered by them. So
nothing here knows the layout of any message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from controller.nat.model import Endpoint, Flow, Mapping, Protocol
from controller.openflow import messages
from controller.openflow.pipeline import ToldApart, rules_of
from controller.openflow.rules import Rule, Table

ForFlow = Callable[[Flow, int, int], bytes]
"""Makes the messages for a flow, with a cookie and a transaction id."""

_FORMATS = {2: "H", 4: "I", 8: "Q"}
_HEADS = 4096
"""The number of packet-outs whose beginnings are remembered: one for each port and length of frame."""


class Template(NamedTuple):
    """Bytes with holes. `pack(*in_order(constants + values))` fills them with the values of the fields."""

    constants: tuple[bytes, ...]
    in_order: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    pack: Callable[..., bytes]

    @classmethod
    def of(cls, make: Callable[..., bytes], sizes: Sequence[int]) -> Template:
        """Return the template of what `make` returns for the values of fields, which have these sizes in bytes."""
        zeros = [0] * len(sizes)
        blank = make(*zeros)
        holes: list[tuple[int, int, int]] = []  # offset, length, field
        for field, size in enumerate(sizes):
            filled = make(*zeros[:field], (1 << 8 * size) - 1, *zeros[field + 1 :])
            holes += [(at, length, field) for at, length in _differences(blank, filled)]
        # A constant before each hole, and one at the end. After all of them come the fields.
        form, at = "!", 0
        order: list[int] = []
        constants: tuple[bytes, ...] = ()
        for hole, length, field in sorted(holes):
            form += f"{hole - at}s{_FORMATS[length]}"
            order += [len(constants), len(holes) + 1 + field]
            constants += (blank[at:hole],)
            at = hole + length
        form += f"{len(blank) - at}s"
        return cls((*constants, blank[at:]), itemgetter(*order, len(holes)), struct.Struct(form).pack)


def additions(told_apart: ToldApart) -> ForFlow:
    """Return the function that makes the messages to add flows' rules; `told_apart` is how flows differ."""
    return _for_flows(messages.addition, told_apart)


def removals(told_apart: ToldApart) -> ForFlow:
    """Return the function that makes the messages to remove them."""
    return _for_flows(messages.removal, told_apart)


def _for_flows(message: Callable[[Rule], Any], told_apart: ToldApart) -> ForFlow:
    """Return the function that makes a message for each rule of a flow, all with the same transaction id."""
    templates = [
        {protocol: _of_flow(message, protocol, one, told_apart) for protocol in (Protocol.TCP, Protocol.UDP)}
        for one in (False, True)
    ]

    def filled(flow: Flow, cookie: int, xid: int) -> bytes:
        mapping, peer = flow.mapping, flow.peer
        internal, external = mapping.internal, mapping.external
        constants, in_order, pack = templates[flow.is_inbound_only][mapping.protocol]
        ours = (xid, cookie, internal >> 16, internal & 0xFFFF, external >> 16, external & 0xFFFF)
        return pack(*in_order(constants + ours + (peer >> 16, peer & 0xFFFF)))

    return filled


def _of_flow(
    message: Callable[[Rule], Any], protocol: Protocol, is_inbound_only: bool, told_apart: ToldApart
) -> Template:
    def make(xid: int, cookie: int, *ends: int) -> bytes:
        internal, external, peer = (Endpoint(*ends[at : at + 2]) for at in (0, 2, 4))
        flow = Flow(Mapping(protocol, internal, external, peer, 0.0), peer, 0.0, 0.0, 0)
        flow.is_inbound_only = is_inbound_only
        rules = rules_of(flow, told_apart, cookie)
        return b"".join(messages.serialised(message(rule), xid) for rule in rules)

    return Template.of(make, (4, 8, 4, 2, 4, 2, 4, 2))


def injection(frame: bytes, in_port: int, table: Table) -> bytes:
    """Return the message that puts a frame back into a table."""
    return _head(messages.injection, len(frame), in_port, table) + frame


def delivery(frame: bytes) -> bytes:
    """Return the message that puts a frame with an external source before the inbound rules."""
    return _head(messages.delivery, len(frame)) + frame


def forwarding(frame: bytes) -> bytes:
    """Return the message that sends a frame on to its next hop."""
    return _head(messages.forwarding, len(frame)) + frame


def sending(frame: bytes, port: int) -> bytes:
    """Return the message that sends a frame out of a port."""
    return _head(messages.sending, len(frame), port) + frame


@lru_cache(maxsize=_HEADS)
def _head(message: Callable[..., Any], size: int, *where: int) -> bytes:
    """Return a packet-out up to its frame, which is `size` bytes long."""
    made = messages.serialised(message(bytes(size), *where))
    return made[: len(made) - size]


def _differences(one: bytes, other: bytes) -> list[tuple[int, int]]:
    """Return the offset and the length of each run of differing bytes."""
    places = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    runs = groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])
    found = [[place for _, place in run] for _, run in runs]
    return [(run[0], len(run)) for run in found]
