"""A program for `test_messages`: prints what the controller would send, under the framework of its environment.

    python -m tests.unit.serialise CONFIGURATION.yaml

The framework is chosen when it is imported, and changes Python's standard library; so this is a process of its
own. Its output is one JSON object: the messages of each command in hexadecimal, and what is read back of a
statistics reply.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.nat.model import Endpoint, Mapping, Protocol
from controller.openflow import framework  # the first to be imported, as in the controller: it patches the others
from controller.openflow.commands import Clear, Command, Forward, Inject, Install, Poll, Remove, Send
from controller.openflow.framework import ofproto, parser
from controller.openflow.messages import messages, rule_counts
from controller.openflow.pipeline import Rule, base_rules, mapping_rules, neighbour_rule, rule_owner
from controller.wiring import ControllerConfiguration

_REPLY = struct.Struct("!BBHIHH4x")  # struct ofp_multipart_reply
_FLOW_STATS = struct.Struct("!HBxIIHHHH4xQQQ")  # struct ofp_flow_stats, without its match
MAPPINGS = [
    Mapping(protocol, Endpoint.parse("10.0.0.1:40000"), Endpoint.parse("192.0.2.1:1024"), last_use=0.0)
    for protocol in (Protocol.TCP, Protocol.UDP)
]


def commands(configuration: ControllerConfiguration) -> Iterator[Command]:
    """Yield one command of every kind, and every rule there can be."""
    yield Clear()
    yield from (Install(rule) for rule in base_rules(configuration))
    yield Install(neighbour_rule(configuration, 0x0A000001, bytes.fromhex("02000a000001"), 1))
    for mapping in MAPPINGS:
        for rule in mapping_rules(mapping, cookie=7):
            yield Install(rule, mapping)
            yield Remove(rule)
    yield Inject(b"frame", 3)
    yield Forward(b"frame")
    yield Send(b"frame", 3)
    yield Poll(7)


def hexadecimal(datapath: Any, command: Command) -> list[str]:
    """Return the messages of a command."""
    made = list(messages(datapath, command))
    for message in made:
        message.set_xid(0)
        message.serialize()
    return [bytes(message.buf).hex() for message in made]


def read_back(datapath: Any, rule: Rule, packets: int) -> dict[str, object]:
    """Let a switch report a rule's count, and return what the controller makes of the report."""
    match = bytearray()
    parser.OFPMatch(**dict(rule.match)).serialize(match, 0)
    entry = _FLOW_STATS.pack(_FLOW_STATS.size + len(match), rule.table, 0, 0, 20, 0, 0, 0, rule.cookie, packets, 0)
    size = _REPLY.size + len(entry + match)
    head = (ofproto.OFP_VERSION, ofproto.OFPT_MULTIPART_REPLY, size, 0)
    data = _REPLY.pack(*head, ofproto.OFPMP_FLOW, 0) + entry + match
    reply = parser.OFPFlowStatsReply.parser(datapath, *head, data)
    (count,) = rule_counts(reply)
    protocol, endpoint = rule_owner(count.table, count.match)
    return {
        "table": count.table.name,
        "packets": count.packets,
        "protocol": protocol.name,
        "endpoint": str(endpoint),
        "match": sorted(count.match.items()) == sorted(rule.match),
    }


def main() -> None:
    """Print everything."""
    datapath = framework.ProtocolDesc(ofproto.OFP_VERSION)
    configuration = ControllerConfiguration.load(Path(sys.argv[1]))
    made = [(repr(command), hexadecimal(datapath, command)) for command in commands(configuration)]
    counts = [read_back(datapath, rule, 5) for mapping in MAPPINGS for rule in mapping_rules(mapping, cookie=7)]
    print(json.dumps({"version": framework.version(), "messages": made, "counts": counts}))


if __name__ == "__main__":
    main()
