"""A NAT as a Ryu textbook has it.

It is written like most projects on the web that call themselves an OpenFlow NAT:
- Packets are read by the framework's packet library, and answered with its message classes.
- There is one flow table. Each connection gets two rules that match both of its ends, rewrite addresses and ports,
and
  have an `idle_timeout`. The switch's flow-removed message frees the port.
- There is a dict of connections, and a list of free ports.

Where such projects differ, this one does what is fastest: a free port is popped from the end of the list, nothing
is logged, and the packet that made a connection goes on in the same answer. It has no limits, no TCP states and no
ICMP. When the list is empty it drops packets.
"""

from __future__ import annotations

import importlib
import ipaddress
from typing import Any, ClassVar

from benchmarks.reference.textbook.link import Link
from controller.openflow.framework import CHOICES, App, handler, name, ofp_event, ofproto, parser, version
from controller.wiring import ControllerConfiguration, Side

packet, ethernet, arp, ipv4, tcp, udp = (
    importlib.import_module(f"{CHOICES[name]}.lib.packet.{module}")
    for module in ("packet", "ethernet", "arp", "ipv4", "tcp", "udp")
)

IDLE_TIMEOUT_S = 300
"""RFC 4787 REQ-5 recommends five minutes."""
FIRST_PORT = 1024
OUTBOUND, INBOUND = 1, 2
"""The cookies of a connection's two rules."""


class TextbookNat(App):
    """The controller of one switch, with one external address."""

    OFP_VERSIONS: ClassVar = [ofproto.OFP_VERSION]
    configuration: ClassVar[ControllerConfiguration]
    link: ClassVar[Link]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        settings = self.configuration.settings
        self.mac = self.configuration.mac
        self.external = str(settings.external_addresses[0])
        self.interfaces = {interface.port: interface for interface in self.configuration.interfaces}
        self.neighbours: dict[str, tuple[str, int]] = {}
        self.free = {protocol: list(settings.port_set) for protocol in (6, 17)}
        self.connections: dict[tuple[int, str, int], int] = {}
        self.link.answer(self.adopt)

    @handler.set_ev_cls(ofp_event.EventOFPSwitchFeatures, handler.CONFIG_DISPATCHER)
    def switch_features(self, event: Any) -> None:
        """Have the switch send packets that no rule matches to the controller."""
        datapath = event.msg.datapath
        to_controller = [parser.OFPActionOutput(ofproto.OFPP_CONTROLLER, ofproto.OFPCML_NO_BUFFER)]
        self.add_flow(datapath, 0, parser.OFPMatch(), to_controller)
        datapath.send_msg(parser.OFPBarrierRequest(datapath))

    @handler.set_ev_cls(ofp_event.EventOFPBarrierReply, handler.MAIN_DISPATCHER)
    def ready(self, _event: Any) -> None:
        """Report that packets are translated from now on."""
        self.link.send(ready=True, framework=version())

    @handler.set_ev_cls(ofp_event.EventOFPPacketIn, handler.MAIN_DISPATCHER)
    def packet_in(self, event: Any) -> None:
        """Answer ARP, and translate packets that open connections."""
        msg = event.msg
        datapath, in_port = msg.datapath, msg.match["in_port"]
        frame = packet.Packet(msg.data)
        question = frame.get_protocol(arp.arp)
        if question is not None:
            self.learn(datapath, in_port, question)
            return
        ip = frame.get_protocol(ipv4.ipv4)
        interface = self.interfaces.get(in_port)
        if ip is not None and interface is not None and interface.side is Side.INSIDE:
            segment = frame.get_protocol(udp.udp) or frame.get_protocol(tcp.tcp)
            if segment is not None:
                self.open(datapath, in_port, ip, segment, msg.data)

    def learn(self, datapath: Any, in_port: int, question: Any) -> None:
        """Learn a host's port and MAC address, and answer for the gateway's own addresses."""
        self.neighbours[question.src_ip] = (question.src_mac, in_port)
        interface = self.interfaces.get(in_port)
        if question.opcode != arp.ARP_REQUEST or interface is None:
            return
        if question.dst_ip == str(interface.address.ip):
            reply = packet.Packet()
            reply.add_protocol(ethernet.ethernet(dst=question.src_mac, src=self.mac, ethertype=0x0806))
            reply.add_protocol(
                arp.arp(
                    opcode=arp.ARP_REPLY,
                    src_mac=self.mac,
                    src_ip=question.dst_ip,
                    dst_mac=question.src_mac,
                    dst_ip=question.src_ip,
                )
            )
            reply.serialize()
            self.packet_out(datapath, in_port, [parser.OFPActionOutput(in_port)], reply.data)

    def open(self, datapath: Any, in_port: int, ip: Any, segment: Any, data: bytes) -> None:
        """Give a connection a port and its two rules, and send its first packet on."""
        remote = self.neighbours.get(ip.dst)
        local = self.neighbours.get(ip.src)
        free = self.free.get(ip.proto)
        if remote is None or local is None or not free:
            self.ask(datapath, ip.dst)
            return
        key = (ip.proto, ip.src, segment.src_port)
        port = self.connections.get(key)
        if port is None:
            port = self.connections[key] = free.pop()
        field = "udp" if ip.proto == 17 else "tcp"
        out_actions = self.actions("src", field, self.external, port, remote)
        out_match = self.match(ip.proto, field, (ip.src, segment.src_port), (ip.dst, segment.dst_port))
        self.add_flow(datapath, 10, out_match, out_actions, OUTBOUND, IDLE_TIMEOUT_S)
        in_match = self.match(ip.proto, field, (ip.dst, segment.dst_port), (self.external, port))
        in_actions = self.actions("dst", field, ip.src, segment.src_port, local)
        self.add_flow(datapath, 10, in_match, in_actions, INBOUND, IDLE_TIMEOUT_S)
        self.packet_out(datapath, in_port, out_actions, data)

    @handler.set_ev_cls(ofp_event.EventOFPFlowRemoved, handler.MAIN_DISPATCHER)
    def flow_removed(self, event: Any) -> None:
        """Free the port of a connection that has been idle."""
        msg = event.msg
        if msg.cookie != OUTBOUND:
            return
        protocol = msg.match["ip_proto"]
        source_port = msg.match["udp_src" if protocol == 17 else "tcp_src"]
        port = self.connections.pop((protocol, msg.match["ipv4_src"], source_port), None)
        if port is not None:
            self.free[protocol].append(port)

    def adopt(self, flows: list[tuple[int, str, int, int]]) -> None:
        """Note connections whose rules the bench has installed, to fill the table fast."""
        for protocol, source, source_port, port in flows:
            self.connections[protocol, source, source_port] = port
        taken = {port for _, _, _, port in flows}
        for protocol, free in self.free.items():
            if flows and protocol == flows[0][0]:
                self.free[protocol] = [port for port in free if port not in taken]

    def match(self, protocol: int, field: str, source: tuple[str, int], target: tuple[str, int]) -> Any:
        """Return the match of one direction of a connection."""
        ports = {f"{field}_src": source[1], f"{field}_dst": target[1]}
        return parser.OFPMatch(eth_type=0x0800, ip_proto=protocol, ipv4_src=source[0], ipv4_dst=target[0], **ports)

    def actions(self, end: str, field: str, address: str, port: int, hop: tuple[str, int]) -> list[Any]:
        """Return the actions that rewrite one end, and send the packet to its next hop."""
        mac, out_port = hop
        return [
            parser.OFPActionSetField(**{f"ipv4_{end}": address}),
            parser.OFPActionSetField(**{f"{field}_{end}": port}),
            parser.OFPActionSetField(eth_src=self.mac),
            parser.OFPActionSetField(eth_dst=mac),
            parser.OFPActionDecNwTtl(),
            parser.OFPActionOutput(out_port),
        ]

    def add_flow(
        self, datapath: Any, priority: int, match: Any, actions: list[Any], cookie: int = 0, idle: int = 0
    ) -> None:
        """Install a rule in the switch."""
        instructions = [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]
        datapath.send_msg(
            parser.OFPFlowMod(
                datapath=datapath,
                cookie=cookie,
                priority=priority,
                match=match,
                instructions=instructions,
                idle_timeout=idle,
                flags=ofproto.OFPFF_SEND_FLOW_REM if idle else 0,
            )
        )

    def packet_out(self, datapath: Any, in_port: int, actions: list[Any], data: bytes) -> None:
        """Have the switch apply actions to a packet."""
        datapath.send_msg(
            parser.OFPPacketOut(
                datapath=datapath,
                buffer_id=ofproto.OFP_NO_BUFFER,
                in_port=in_port,
                actions=actions,
                data=data,
            )
        )

    def ask(self, datapath: Any, address: str) -> None:
        """Ask for an unknown host by ARP, where it should be. The packet for it is lost, as in the textbooks."""
        for port, interface in self.interfaces.items():
            if ipaddress.IPv4Address(address) in interface.address.network:
                question = packet.Packet()
                question.add_protocol(ethernet.ethernet(dst="ff:ff:ff:ff:ff:ff", src=self.mac, ethertype=0x0806))
                own = str(interface.address.ip)
                question.add_protocol(arp.arp(src_mac=self.mac, src_ip=own, dst_ip=address))
                question.serialize()
                actions = [parser.OFPActionOutput(port)]
                self.packet_out(datapath, ofproto.OFPP_CONTROLLER, actions, question.data)
