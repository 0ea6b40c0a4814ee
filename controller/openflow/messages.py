"""Commands as OpenFlow 1.3 messages, made with the framework's own classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.openflow.commands import Clear, Command, Forward, Inject, Install, Poll, Remove, Send
from controller.openflow.framework import ofproto, parser
from controller.openflow.pipeline import INJECTED, Act, Action, Output, Rule, SetField, Table
from controller.openflow.statistics import FlowStatistics, RuleCount

METER = 1
METER_RATE_PACKETS_S = 20_000
"""What the controller is protected from: a flood, never a scenario's paced traffic."""

_ALL_COOKIE_BITS = (1 << 64) - 1

parser.OFPFlowStatsReply.cls_stats_body_cls = FlowStatistics


def messages(datapath: Any, command: Command) -> Iterator[Any]:
    """Yield the messages that carry out a command."""
    match command:
        case Clear():
            yield parser.OFPFlowMod(
                datapath,
                command=ofproto.OFPFC_DELETE,
                table_id=ofproto.OFPTT_ALL,
                out_port=ofproto.OFPP_ANY,
                out_group=ofproto.OFPG_ANY,
            )
            yield parser.OFPMeterMod(datapath, command=ofproto.OFPMC_DELETE, meter_id=ofproto.OFPM_ALL)
            yield _meter(datapath)
        case Install(rule=rule):
            yield _flow_mod(datapath, rule, ofproto.OFPFC_ADD, _instructions(rule))
        case Remove(rule):
            yield _flow_mod(datapath, rule, ofproto.OFPFC_DELETE_STRICT, [])
        case Inject(frame, in_port):
            yield _packet_out(datapath, frame, in_port, _enter(Table.CLASSIFY))
        case Forward(frame):
            yield _packet_out(datapath, frame, ofproto.OFPP_CONTROLLER, _enter(Table.FORWARD))
        case Send(frame, port):
            yield _packet_out(datapath, frame, ofproto.OFPP_CONTROLLER, [parser.OFPActionOutput(port)])
        case Poll(cookie):
            yield parser.OFPFlowStatsRequest(
                datapath, 0, ofproto.OFPTT_ALL, cookie=cookie, cookie_mask=_ALL_COOKIE_BITS
            )


def rule_counts(reply: Any) -> Iterator[RuleCount]:
    """Yield the packet counts in one part of a flow statistics reply."""
    for entry in reply.body:
        if entry.count is not None:
            yield entry.count


def _meter(datapath: Any) -> Any:
    return parser.OFPMeterMod(
        datapath,
        command=ofproto.OFPMC_ADD,
        flags=ofproto.OFPMF_PKTPS | ofproto.OFPMF_BURST,
        meter_id=METER,
        bands=[parser.OFPMeterBandDrop(rate=METER_RATE_PACKETS_S, burst_size=METER_RATE_PACKETS_S)],
    )


def _flow_mod(datapath: Any, rule: Rule, command: int, instructions: list[Any]) -> Any:
    return parser.OFPFlowMod(
        datapath,
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


def _enter(table: Table) -> list[Any]:
    return [parser.OFPActionSetField(reg0=INJECTED), parser.NXActionResubmitTable(table_id=table)]


def _packet_out(datapath: Any, frame: bytes, in_port: int, actions: list[Any]) -> Any:
    return parser.OFPPacketOut(
        datapath, buffer_id=ofproto.OFP_NO_BUFFER, in_port=in_port, actions=actions, data=frame
    )
