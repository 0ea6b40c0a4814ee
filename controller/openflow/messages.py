"""OpenFlow 1.3 messages, made with the framework's own classes. Each takes a tenth of a millisecond.

Messages that are sent often are filled in from `templates` instead, which are made from these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.openflow.framework import ProtocolDesc, ofproto, parser
from controller.openflow.rules import INJECTED, Act, Action, Output, Rule, SetField, Table
from controller.openflow.statistics import FlowStatistics, RuleCount

METER = 1
METER_RATE_PACKETS_S = 100_000
"""The rate beyond which packets to the controller are dropped: a flood that it cannot answer, never a fill."""

_ALL_COOKIE_BITS = (1 << 64) - 1
_VERSION = ProtocolDesc(ofproto.OFP_VERSION)

parser.OFPFlowStatsReply.cls_stats_body_cls = FlowStatistics


def serialised(message: Any, xid: int = 0) -> bytes:
    """Return a message as it goes over the wire."""
    message.set_xid(xid)
    message.serialize()
    return bytes(message.buf)


def clear() -> Iterator[Any]:
    """Yield the messages that remove every rule, and set the meter up anew."""
    yield parser.OFPFlowMod(
        _VERSION,
        command=ofproto.OFPFC_DELETE,
        table_id=ofproto.OFPTT_ALL,
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
    )
    yield parser.OFPMeterMod(_VERSION, command=ofproto.OFPMC_DELETE, meter_id=ofproto.OFPM_ALL)
    yield parser.OFPMeterMod(
        _VERSION,
        command=ofproto.OFPMC_ADD,
        flags=ofproto.OFPMF_PKTPS | ofproto.OFPMF_BURST,
        meter_id=METER,
        bands=[parser.OFPMeterBandDrop(rate=METER_RATE_PACKETS_S, burst_size=METER_RATE_PACKETS_S)],
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
        instructions.append(parser.OFPInstructionMeter(METER))
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
        case Act.TO_CONTROLLER:
            return parser.OFPActionOutput(ofproto.OFPP_CONTROLLER, ofproto.OFPCML_NO_BUFFER)
        case Act.DECREMENT_TTL:
            return parser.OFPActionDecNwTtl()
        case Act.AS_A_LAN_SWITCH:
            return parser.OFPActionOutput(ofproto.OFPP_NORMAL)
        case Act.MAY_RETURN:
            return parser.NXActionRegLoad(ofs_nbits=15, dst="in_port_nxm", value=0)


def _enter(table: Table) -> list[Any]:
    return [parser.OFPActionSetField(reg0=INJECTED), parser.NXActionResubmitTable(table_id=table)]


def _packet_out(frame: bytes, in_port: int, actions: list[Any]) -> Any:
    return parser.OFPPacketOut(
        _VERSION, buffer_id=ofproto.OFP_NO_BUFFER, in_port=in_port, actions=actions, data=frame
    )
