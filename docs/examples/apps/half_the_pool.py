"""A NAT as a Ryu exercise. It reaches every second port only: a growing index goes through a shrinking list.

    ./lastport run port-exhaustion --gateway app --set app=docs/examples/apps/half_the_pool.py

And nothing comes back: no rule asks for the message that flow_removed waits for.
"""

from ryu.base import app_manager
from ryu.controller import ofp_event
from ryu.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from ryu.lib.packet import arp, ethernet, ipv4, packet, tcp, udp
from ryu.ofproto import ofproto_v1_3

from lastport_wiring import (
    EXTERNAL_IP,
    FIRST_PORT,
    LAN_IP,
    LAN_PORT,
    LAST_PORT,
    MAC,
    NEXT_HOP,
    TCP_IDLE_TIMEOUT,
    WAN_IP,
    WAN_PORT,
)


class Snat(app_manager.RyuApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = list(range(FIRST_PORT, LAST_PORT + 1))
        self.index = 0
        self.mappings = {}
        self.mac_of = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_features(self, ev):
        datapath = ev.msg.datapath
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        actions = [parser.OFPActionOutput(ofproto.OFPP_CONTROLLER, ofproto.OFPCML_NO_BUFFER)]
        self.add_flow(datapath, 0, parser.OFPMatch(), actions)
        self.send_arp(datapath, WAN_PORT, arp.ARP_REQUEST, WAN_IP, "ff:ff:ff:ff:ff:ff", NEXT_HOP)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        datapath, in_port = ev.msg.datapath, ev.msg.match["in_port"]
        pkt = packet.Packet(ev.msg.data)
        pkt_arp = pkt.get_protocol(arp.arp)
        if pkt_arp:
            self.mac_of[pkt_arp.src_ip] = pkt_arp.src_mac
            if pkt_arp.opcode == arp.ARP_REQUEST and pkt_arp.dst_ip in (LAN_IP, EXTERNAL_IP):
                self.send_arp(datapath, in_port, arp.ARP_REPLY, pkt_arp.dst_ip, pkt_arp.src_mac, pkt_arp.src_ip)
            return
        ip = pkt.get_protocol(ipv4.ipv4)
        segment = pkt.get_protocol(tcp.tcp) or pkt.get_protocol(udp.udp)
        if in_port == LAN_PORT and ip and segment:
            self.translate(datapath, ip, segment, pkt.get_protocol(ethernet.ethernet).src, ev.msg.data)

    def translate(self, datapath, ip, segment, mac, data):
        parser = datapath.ofproto_parser
        key = (ip.proto, ip.src, segment.src_port)
        if key not in self.mappings:
            self.mappings[key] = self.ports.pop(self.index)
            self.index += 1
        port = self.mappings[key]
        kind = "tcp" if ip.proto == 6 else "udp"
        outbound = [
            parser.OFPActionSetField(ipv4_src=EXTERNAL_IP),
            parser.OFPActionSetField(**{kind + "_src": port}),
            parser.OFPActionSetField(eth_src=MAC),
            parser.OFPActionSetField(eth_dst=self.mac_of[NEXT_HOP]),
            parser.OFPActionDecNwTtl(),
            parser.OFPActionOutput(WAN_PORT),
        ]
        inbound = [
            parser.OFPActionSetField(ipv4_dst=ip.src),
            parser.OFPActionSetField(**{kind + "_dst": segment.src_port}),
            parser.OFPActionSetField(eth_src=MAC),
            parser.OFPActionSetField(eth_dst=mac),
            parser.OFPActionDecNwTtl(),
            parser.OFPActionOutput(LAN_PORT),
        ]
        common = {"eth_type": 0x0800, "ip_proto": ip.proto}
        match = parser.OFPMatch(in_port=WAN_PORT, ipv4_dst=EXTERNAL_IP, **common, **{kind + "_dst": port})
        self.add_flow(datapath, 1, match, inbound, int(TCP_IDLE_TIMEOUT))
        match = parser.OFPMatch(in_port=LAN_PORT, ipv4_src=ip.src, **common, **{kind + "_src": segment.src_port})
        self.add_flow(datapath, 1, match, outbound, int(TCP_IDLE_TIMEOUT))
        self.packet_out(datapath, outbound, data)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed(self, ev):
        match = ev.msg.match
        if "ipv4_src" in match:
            kind = "tcp" if match["ip_proto"] == 6 else "udp"
            self.ports.append(self.mappings.pop((match["ip_proto"], match["ipv4_src"], match[kind + "_src"])))

    def add_flow(self, datapath, priority, match, actions, idle_timeout=0):
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        instructions = [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]
        datapath.send_msg(
            parser.OFPFlowMod(
                datapath=datapath,
                priority=priority,
                match=match,
                instructions=instructions,
                idle_timeout=idle_timeout,
            )
        )

    def packet_out(self, datapath, actions, data):
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        datapath.send_msg(
            parser.OFPPacketOut(
                datapath=datapath,
                buffer_id=ofproto.OFP_NO_BUFFER,
                in_port=ofproto.OFPP_CONTROLLER,
                actions=actions,
                data=data,
            )
        )

    def send_arp(self, datapath, port, opcode, src_ip, dst_mac, dst_ip):
        pkt = packet.Packet()
        pkt.add_protocol(ethernet.ethernet(ethertype=0x0806, dst=dst_mac, src=MAC))
        pkt.add_protocol(arp.arp(opcode=opcode, src_mac=MAC, src_ip=src_ip, dst_mac=dst_mac, dst_ip=dst_ip))
        pkt.serialize()
        self.packet_out(datapath, [datapath.ofproto_parser.OFPActionOutput(port)], pkt.data)
