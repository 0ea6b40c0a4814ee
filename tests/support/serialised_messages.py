"""A program for `test_messages`: prints what the controller would send, under the framework of its environment.

    python -m tests.support.serialised_messages CONFIGURATION.yaml

The framework is chosen when it is imported, and changes Python's standard library; so this is a process of its
own. Its output is one JSON object: the messages for all that can be asked, in hexadecimal, and what is read back
of a statistics reply.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from controller.nat.model import Dependence, Endpoint, Flow, Mapping, Protocol
from controller.openflow import (
    framework,  # the first to be imported, as in the controller: it patches the others
    messages,
)
from controller.openflow.framework import ofproto, parser
from controller.openflow.outbox import Outbox
from controller.openflow.pipeline import base_rules, rules_of
from controller.openflow.rules import Act, CheckLarger, Output, Resubmit, Rule, SetField, Table
from controller.wiring import ControllerConfiguration

_REPLY = struct.Struct("!BBHIHH4x")  # struct ofp_multipart_reply
_FLOW_STATS = struct.Struct("!HBxIIHHHH4xQQQ")  # struct ofp_flow_stats, without its match
INTERNAL, EXTERNAL = Endpoint.parse("10.0.0.1:40000"), Endpoint.parse("192.0.2.1:1024")
REMOTE = Endpoint.parse("198.51.100.1:7")
FLOWS = [
    (Flow(Mapping(protocol, INTERNAL, EXTERNAL, peer, 0.0), peer, 0.0, 0.0, 0), told_apart)
    for protocol in (Protocol.TCP, Protocol.UDP)
    for told_apart in Dependence
    for peer in [told_apart.part(REMOTE)]
]
RULES = [rule for flow, told_apart in FLOWS for rule in rules_of(flow, lambda _, part=told_apart: part, cookie=7)]

NEIGHBOUR = Rule(
    Table.FORWARD,
    20,
    (("eth_type", 0x0800), ("ipv4_dst", "10.0.0.1")),
    (
        SetField("eth_src", "02:00:0a:00:ff:fe"),
        SetField("eth_dst", "02:00:0a:00:00:01"),
        Act.DECREMENT_TTL,
        Output(1),
    ),
)
ROUND = Rule(
    Table.FORWARD,
    25,
    (("eth_type", 0x0800),),
    (CheckLarger(1200), SetField("reg0", 0), Act.MAY_RETURN, Resubmit(Table.INBOUND)),
)
"""It has the actions that are Nicira's."""
UNUSUAL = Rule(
    Table.OUTBOUND,
    20,
    (
        *(
            ("reg12", 1),
            ("reg14", 2),
            ("in_port", 3),
            ("eth_dst", "02:00:0a:00:ff:fe"),
            ("eth_type", 0x0800),
            ("ip_proto", 6),
        ),
        *(("ipv4_src", "10.0.0.1"), ("ipv4_dst", ("198.51.100.0", "255.255.255.0"))),
        *(("tcp_src", 40000), ("tcp_flags", (2, 18))),
    ),
)
"""It has fields that are of no interest, before, among and after those that are, and masks."""


def asked(configuration: ControllerConfiguration) -> Iterator[tuple[str, bytes]]:
    """Yield what the switch is sent for everything that can be asked of it."""
    for told_apart in Dependence:
        outbox = Outbox(lambda _, part=told_apart: part)
        outbox.clear()
        yield "clear", outbox.take()
        for rule in (*base_rules(configuration), NEIGHBOUR, ROUND):
            outbox.install(rule)
            yield repr(rule), outbox.take()
        for flow, _ in (each for each in FLOWS if each[1] is told_apart):
            outbox.add(flow, 7, None)
            yield f"add {flow}", outbox.take()
            outbox.remove(flow, 7)
            yield f"remove {flow}", outbox.take()
        outbox.inject(b"frame", 3, Table.OUTBOUND)
        yield "inject", outbox.take()
        outbox.deliver(b"frame")
        yield "deliver", outbox.take()
        outbox.forward(b"frame")
        yield "forward", outbox.take()
        outbox.send(b"frame", 3)
        yield "send", outbox.take()
        outbox.poll(7)
        yield "poll", outbox.take()
        outbox.confirm()
        yield "confirm", outbox.take()


def reported(rules: Sequence[Rule]) -> bytes:
    """Return a switch's report of these rules; each has matched as many packets as its place in the list says."""
    entries = b""
    for packets, rule in enumerate(rules):
        # The match and what follows stand at the same place in both.
        rest = messages.serialised(messages.addition(rule))[_FLOW_STATS.size :]
        head = (_FLOW_STATS.size + len(rest), rule.table, 1, 2, rule.priority, 3, 4, 5, rule.cookie, packets, 6)
        entries += _FLOW_STATS.pack(*head) + rest
    size = _REPLY.size + len(entries)
    return _REPLY.pack(ofproto.OFP_VERSION, ofproto.OFPT_MULTIPART_REPLY, size, 0, ofproto.OFPMP_FLOW, 0) + entries


def read_back(datapath: Any, rules: Sequence[Rule]) -> list[dict[str, object]]:
    """Let a switch report rules, and return what the controller makes of the report."""
    data = reported(rules)
    head = (ofproto.OFP_VERSION, ofproto.OFPT_MULTIPART_REPLY, len(data), 0)
    reply = parser.OFPFlowStatsReply.parser(datapath, *head, data)
    assert len(reply.body) == len(rules)
    return [
        {
            "table": count.table.name,
            "packets": count.packets,
            "protocol": count.protocol.name,
            "endpoint": str(count.endpoint),
            "peer": str(count.peer),
        }
        for count in messages.rule_counts(reply)
    ]


def main() -> None:
    """Print everything."""
    datapath = framework.ProtocolDesc(ofproto.OFP_VERSION)
    configuration = ControllerConfiguration.load(Path(sys.argv[1]))
    made = [(what, data.hex()) for what, data in asked(configuration)]
    others = [*base_rules(configuration), NEIGHBOUR]
    read = {
        "flows": read_back(datapath, RULES),
        "others": read_back(datapath, others),
        "mixed": read_back(datapath, [*others[:3], RULES[0], *others[3:], RULES[-1]]),
        "unusual": read_back(datapath, [UNUSUAL]),
    }
    print(json.dumps({"version": framework.version(), "messages": made, "read": read, "others": len(others)}))


if __name__ == "__main__":
    main()
