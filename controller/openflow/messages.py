"""OpenFlow 1.3 messages, made with the framework's own classes. Each takes a tenth of a millisecond.

Messages that are sent often are filled in from `templates` instead, which are made from these.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from controller.openflow.frames import ETHERNET_BYTES
from controller.openflow.framework import ProtocolDesc, ofproto, parser
from controller.openflow.rules import (
    INJECTED,
    TOO_LARGE,
    Act,
    Action,
    CheckLarger,
    Meter,
    Output,
    Resubmit,
    Rule,
    SetField,
    Table,
)
from controller.openflow.statistics import FlowStatistics, RuleCount

METERS = {
    Meter.PACKETS: (100_000, 100_000),
    Meter.FRAGMENTS: (10_000, 1_000),
    Meter.STRANGERS: (100_000, 100_000),
}
"""The packets to the controller in a second, and those at once, beyond which they are dropped.

Packets may come as fast as a fill brings them, and are dropped only in a flood that the controller cannot answer.
A flood of fragments must not take more than a fraction of its time.
"""

_ALL_COOKIE_BITS = (1 << 64) - 1
_VERSION = ProtocolDesc(ofproto.OFP_VERSION)

_WHOLE_PORT = 15
"""Of a field of 16 bits, all (ovs-actions(7), load: the offset, and one less than the number of bits)."""
_CHECK_PKT_LARGER = 49
"""Nicira's number of an action that neither framework has: ovs-actions(7), check_pkt_larger."""
_CHECK = struct.Struct("!HHI6x")
_LARGE_BIT = 1 << 16 | int(TOO_LARGE[0].removeprefix("reg")) << 9 | 4
"""NXM's header of the register: class 1, its number, 4 bytes."""

parser.OFPFlowStatsReply.cls_stats_body_cls = FlowStatistics


def serialised(message: Any, xid: int = 0) -> bytes:
    """Return a message as it goes over the wire."""
    message.set_xid(xid)
    message.serialize()
    return bytes(message.buf)


def clear() -> Iterator[Any]:
    """Yield the messages that remove every rule, and set the meters up anew."""
    yield parser.OFPFlowMod(
        _VERSION,
        command=ofproto.OFPFC_DELETE,
        table_id=ofproto.OFPTT_ALL,
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
    )
    yield parser.OFPMeterMod(_VERSION, command=ofproto.OFPMC_DELETE, meter_id=ofproto.OFPM_ALL)
    for meter, (rate, burst) in METERS.items():
        yield parser.OFPMeterMod(
            _VERSION,
            command=ofproto.OFPMC_ADD,
            flags=ofproto.OFPMF_PKTPS | ofproto.OFPMF_BURST,
            meter_id=meter,
            bands=[parser.OFPMeterBandDrop(rate=rate, burst_size=burst)],
        )


def addition(rule: Rule) -> Any:
    """Return the message that adds a rule."""
    return _flow_mod(rule, ofproto.OFPFC_ADD, _instructions(rule))


def removal(rule: Rule) -> Any:
    """Return the message that removes one rule."""
    return _flow_mod(rule, ofproto.OFPFC_DELETE_STRICT, [])


def injection(frame: bytes, in_port: int, table: Table) -> Any:
    """Return the message that puts a frame back into a table, marked as decided."""
    return _packet_out(frame, in_port, _enter(table))


def forwarding(frame: bytes) -> Any:
    """Return the message that sends a frame on to its next hop."""
    return _packet_out(frame, ofproto.OFPP_CONTROLLER, _enter(Table.FORWARD))


def delivery(frame: bytes) -> Any:
    """Return the message that puts a frame with an external source before the inbound rules, marked as decided."""
    return _packet_out(frame, ofproto.OFPP_CONTROLLER, _enter(Table.INBOUND))


def sending(frame: bytes, port: int) -> Any:
    """Return the message that sends a frame out of a port."""
    return _packet_out(frame, ofproto.OFPP_CONTROLLER, [parser.OFPActionOutput(port)])


def poll(cookie: int) -> Any:
    """Return the message that asks for the packet counts of all rules with a cookie."""
    return parser.OFPFlowStatsRequest(_VERSION, 0, ofproto.OFPTT_ALL, cookie=cookie, cookie_mask=_ALL_COOKIE_BITS)


def total(cookie: int) -> Any:
    """Return the message that asks for the number of packets of all rules with a cookie, in one sum."""
    return parser.OFPAggregateStatsRequest(
        _VERSION,
        0,
        ofproto.OFPTT_ALL,
        ofproto.OFPP_ANY,
        ofproto.OFPG_ANY,
        cookie,
        _ALL_COOKIE_BITS,
        parser.OFPMatch(),
    )


def barrier() -> Any:
    """Return the message whose reply confirms that everything before it was carried out."""
    return parser.OFPBarrierRequest(_VERSION)


def echo() -> Any:
    """Return the message that the switch answers when it has handled everything before it."""
    return parser.OFPEchoRequest(_VERSION)


def rule_counts(reply: Any) -> Iterator[RuleCount]:
    """Yield the packet counts in one part of a flow statistics reply."""
    for entry in reply.body:
        if entry.count is not None:
            yield entry.count


def _flow_mod(rule: Rule, command: int, instructions: list[Any]) -> Any:
    return parser.OFPFlowMod(
        _VERSION,
        cookie=rule.cookie,
        command=command,
        table_id=rule.table,
        priority=rule.priority,
        match=parser.OFPMatch(**dict(rule.match)),
        instructions=instructions,
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
    )


def _instructions(rule: Rule) -> list[Any]:
    instructions = []
    if rule.metered:
        instructions.append(parser.OFPInstructionMeter(rule.meter))
    if rule.actions:
        actions = [_action(action) for action in rule.actions]
        instructions.append(parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions))
    if rule.goto is not None:
        instructions.append(parser.OFPInstructionGotoTable(rule.goto))
    return instructions


def _action(action: Action) -> Any:
    match action:
        case SetField(name, value):
            return parser.OFPActionSetField(**{name: value})
        case Output(port):
            return parser.OFPActionOutput(port)
        case CheckLarger(most):
            return parser.NXActionUnknown(_CHECK_PKT_LARGER, _CHECK.pack(most + ETHERNET_BYTES, 0, _LARGE_BIT))
        case Resubmit(table):
            return parser.NXActionResubmitTable(table_id=table)
        case Act.MAY_RETURN:
            return parser.NXActionRegLoad(_WHOLE_PORT, "in_port_nxm", 0)
        case Act.TO_CONTROLLER:
            return parser.OFPActionOutput(ofproto.OFPP_CONTROLLER, ofproto.OFPCML_NO_BUFFER)
        case Act.DECREMENT_TTL:
            return parser.OFPActionDecNwTtl()
        case Act.AS_A_LAN_SWITCH:
            return parser.OFPActionOutput(ofproto.OFPP_NORMAL)


def _enter(table: Table) -> list[Any]:
    return [parser.OFPActionSetField(reg0=INJECTED), parser.NXActionResubmitTable(table_id=table)]


def _packet_out(frame: bytes, in_port: int, actions: list[Any]) -> Any:
    return parser.OFPPacketOut(
        _VERSION, buffer_id=ofproto.OFP_NO_BUFFER, in_port=in_port, actions=actions, data=frame
    )
