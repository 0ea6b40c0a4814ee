"""A NAT as a Ryu exercise, for OpenFlow 1.0. Without a free port it returns -1, and nobody looks.

    ./lastport run port-exhaustion --gateway app --set app=docs/examples/apps/minus_one.py

So -1, which is 65535 on the wire, is handed out again and again. It comes back like any other port, too.
"""

import json
import os

from ryu.base import app_manager
from ryu.controller import ofp_event
from ryu.controller.handler import MAIN_DISPATCHER, set_ev_cls
from ryu.lib.packet import arp, ethernet, ipv4, packet, tcp, udp
from ryu.ofproto import ofproto_v1_0

with open(os.environ["LASTPORT_WIRING"]) as file:
    WIRING = json.load(file)

LAN, WAN, MAC = WIRING["lan_port"], WIRING["wan_port"], WIRING["mac"]
OUTSIDE, NEXT_HOP = WIRING["external_ip"], WIRING["next_hop"]
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Nat(app_manager.RyuApp):
    OFP_VERSIONS = [ofproto_v1_0.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super(Nat, self).__init__(*args, **kwargs)
        self.free_ports = set(range(WIRING["first_port"], WIRING["last_port"] + 1))
        self.nat_table = {}
        self.arp_table = {}

    def get_port(self):
        if self.free_ports:
            return self.free_ports.pop()
        return -1

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in_handler(self, ev):
        msg = ev.msg
        dp = msg.datapath
        pkt = packet.Packet(msg.data)
        pkt_arp = pkt.get_protocol(arp.arp)
        if pkt_arp:
            self.arp_table[pkt_arp.src_ip] = pkt_arp.src_mac
            if pkt_arp.opcode == arp.ARP_REQUEST and pkt_arp.dst_ip in (WIRING["lan_ip"], OUTSIDE):
                self.send_arp(dp, msg.in_port, arp.ARP_REPLY, pkt_arp.dst_ip, pkt_arp.src_mac, pkt_arp.src_ip)
            return
        ip = pkt.get_protocol(ipv4.ipv4)
        seg = pkt.get_protocol(tcp.tcp) or pkt.get_protocol(udp.udp)
        if msg.in_port != LAN or ip is None or seg is None:
            return
        if NEXT_HOP not in self.arp_table:
            self.send_arp(dp, WAN, arp.ARP_REQUEST, OUTSIDE, BROADCAST, NEXT_HOP)
            return
        key = (ip.proto, ip.src, seg.src_port)
        if key not in self.nat_table:
            self.nat_table[key] = self.get_port()
        port = self.nat_table[key]
        parser = dp.ofproto_parser
        host = pkt.get_protocol(ethernet.ethernet).src
        out = [
            parser.OFPActionSetNwSrc(OUTSIDE),
            parser.OFPActionSetTpSrc(port & 0xFFFF),
            parser.OFPActionSetDlSrc(MAC),
            parser.OFPActionSetDlDst(self.arp_table[NEXT_HOP]),
            parser.OFPActionOutput(WAN),
        ]
        back = [
            parser.OFPActionSetNwDst(ip.src),
            parser.OFPActionSetTpDst(seg.src_port),
            parser.OFPActionSetDlSrc(MAC),
            parser.OFPActionSetDlDst(host),
            parser.OFPActionOutput(LAN),
        ]
        to_wan = {"in_port": LAN, "nw_src": ip.src, "tp_src": seg.src_port}
        to_lan = {"in_port": WAN, "nw_dst": OUTSIDE, "tp_dst": port & 0xFFFF}
        idle = int(WIRING["tcp_idle_timeout"] if ip.proto == 6 else WIRING["udp_timeout"])
        for fields, actions in ((to_lan, back), (to_wan, out)):
            match = parser.OFPMatch(dl_type=0x0800, nw_proto=ip.proto, **fields)
            dp.send_msg(
                parser.OFPFlowMod(
                    dp,
                    match,
                    cookie=0,
                    command=dp.ofproto.OFPFC_ADD,
                    idle_timeout=idle,
                    flags=dp.ofproto.OFPFF_SEND_FLOW_REM,
                    actions=actions,
                )
            )
        self.send(dp, out, msg.data)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed_handler(self, ev):
        match = ev.msg.match
        if match.in_port == LAN:
            key = (match.nw_proto, ipv4_text(match.nw_src), match.tp_src)
            self.free_ports.add(self.nat_table.pop(key))

    def send(self, dp, actions, data):
        none = dp.ofproto.OFPP_NONE
        dp.send_msg(dp.ofproto_parser.OFPPacketOut(dp, 0xFFFFFFFF, none, actions, data))

    def send_arp(self, dp, port, opcode, src_ip, dst_mac, dst_ip):
        pkt = packet.Packet()
        pkt.add_protocol(ethernet.ethernet(ethertype=0x0806, dst=dst_mac, src=MAC))
        pkt.add_protocol(arp.arp(opcode=opcode, src_mac=MAC, src_ip=src_ip, dst_mac=dst_mac, dst_ip=dst_ip))
        pkt.serialize()
        self.send(dp, [dp.ofproto_parser.OFPActionOutput(port)], pkt.data)


def ipv4_text(number):
    return ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))
