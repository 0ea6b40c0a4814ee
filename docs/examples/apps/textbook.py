"""A NAT as a Ryu textbook has it. It forgets a connection by silence only, and knows of no timers but its own.

    ./lastport run port-exhaustion --gateway app --set app=docs/examples/apps/textbook.py

It is written like most projects on the web that call themselves an OpenFlow NAT: packets by the packet library,
one flow table, and for each connection two rules that match both of its ends and have an idle timeout. The message
about a rule that is gone frees the port. Where such projects differ, this one does what is fastest, since a bench
measures it: a port is popped from the end of a list, nothing is logged, and the packet that made a
connection goes on in the same answer.
"""

from ipaddress import ip_address, ip_network

from ryu.base import app_manager
from ryu.controller import ofp_event
from ryu.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from ryu.lib.packet import arp, ethernet, ipv4, packet, tcp, udp
from ryu.ofproto import ofproto_v1_3 as ofproto
from ryu.ofproto import ofproto_v1_3_parser as parser

import lastport_wiring as wiring

IDLE_TIMEOUT = 300
OUTBOUND, INBOUND = 1, 2


class Textbook(app_manager.RyuApp):
    OFP_VERSIONS = [ofproto.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.interfaces = {interface["port"]: interface for interface in wiring.INTERFACES}
        self.neighbours = {}  # address -> MAC address and port
        self.free = {proto: list(range(wiring.FIRST_PORT, wiring.LAST_PORT + 1)) for proto in (6, 17)}
        self.connections = {}  # (protocol, address, port) of a host -> external port

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_features(self, ev):
        to_controller = [parser.OFPActionOutput(ofproto.OFPP_CONTROLLER, ofproto.OFPCML_NO_BUFFER)]
        self.add_flow(ev.msg.datapath, 0, parser.OFPMatch(), to_controller)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        msg = ev.msg
        datapath, in_port = msg.datapath, msg.match["in_port"]
        frame = packet.Packet(msg.data)
        question = frame.get_protocol(arp.arp)
        if question is not None:
            self.learn(datapath, in_port, question)
            return
        ip = frame.get_protocol(ipv4.ipv4)
        interface = self.interfaces.get(in_port)
        if ip is not None and interface is not None and interface["side"] == "lan":
            segment = frame.get_protocol(udp.udp) or frame.get_protocol(tcp.tcp)
            if segment is not None:
                self.open(datapath, in_port, ip, segment, msg.data)

    def learn(self, datapath, in_port, question):
        self.neighbours[question.src_ip] = (question.src_mac, in_port)
        interface = self.interfaces.get(in_port)
        if question.opcode == arp.ARP_REQUEST and interface is not None and question.dst_ip == interface["ip"]:
            self.send_arp(datapath, in_port, arp.ARP_REPLY, question.dst_ip, question.src_mac, question.src_ip)

    def open(self, datapath, in_port, ip, segment, data):
        hop = wiring.NEXT_HOP or ip.dst
        remote = self.neighbours.get(hop)
        local = self.neighbours.get(ip.src)
        free = self.free.get(ip.proto)
        if remote is None or local is None or not free:
            self.ask(datapath, hop)
            return
        key = (ip.proto, ip.src, segment.src_port)
        port = self.connections.get(key)
        if port is None:
            port = self.connections[key] = free.pop()
        field = "udp" if ip.proto == 17 else "tcp"
        out_actions = self.actions("src", field, wiring.EXTERNAL_IP, port, remote)
        out_match = self.match(ip.proto, field, (ip.src, segment.src_port), (ip.dst, segment.dst_port))
        self.add_flow(datapath, 10, out_match, out_actions, OUTBOUND, IDLE_TIMEOUT)
        in_match = self.match(ip.proto, field, (ip.dst, segment.dst_port), (wiring.EXTERNAL_IP, port))
        in_actions = self.actions("dst", field, ip.src, segment.src_port, local)
        self.add_flow(datapath, 10, in_match, in_actions, INBOUND, IDLE_TIMEOUT)
        self.packet_out(datapath, in_port, out_actions, data)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed(self, ev):
        msg = ev.msg
        if msg.cookie != OUTBOUND:
            return
        proto = msg.match["ip_proto"]
        source_port = msg.match["udp_src" if proto == 17 else "tcp_src"]
        port = self.connections.pop((proto, msg.match["ipv4_src"], source_port), None)
        if port is not None:
            self.free[proto].append(port)

    def match(self, proto, field, source, target):
        ports = {f"{field}_src": source[1], f"{field}_dst": target[1]}
        return parser.OFPMatch(eth_type=0x0800, ip_proto=proto, ipv4_src=source[0], ipv4_dst=target[0], **ports)

    def actions(self, end, field, address, port, hop):
        mac, out_port = hop
        return [
            parser.OFPActionSetField(**{f"ipv4_{end}": address}),
            parser.OFPActionSetField(**{f"{field}_{end}": port}),
            parser.OFPActionSetField(eth_src=wiring.MAC),
            parser.OFPActionSetField(eth_dst=mac),
            parser.OFPActionDecNwTtl(),
            parser.OFPActionOutput(out_port),
        ]

    def add_flow(self, datapath, priority, match, actions, cookie=0, idle=0):
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

    def packet_out(self, datapath, in_port, actions, data):
        datapath.send_msg(
            parser.OFPPacketOut(
                datapath=datapath,
                buffer_id=ofproto.OFP_NO_BUFFER,
                in_port=in_port,
                actions=actions,
                data=data,
            )
        )

    def ask(self, datapath, address):
        for port, interface in self.interfaces.items():
            if ip_address(address) in ip_network(interface["network"]):
                self.send_arp(datapath, port, arp.ARP_REQUEST, interface["ip"], "ff:ff:ff:ff:ff:ff", address)

    def send_arp(self, datapath, port, opcode, own, mac, address):
        frame = packet.Packet()
        frame.add_protocol(ethernet.ethernet(dst=mac, src=wiring.MAC, ethertype=0x0806))
        frame.add_protocol(arp.arp(opcode=opcode, src_mac=wiring.MAC, src_ip=own, dst_mac=mac, dst_ip=address))
        frame.serialize()
        self.packet_out(datapath, ofproto.OFPP_CONTROLLER, [parser.OFPActionOutput(port)], frame.data)
