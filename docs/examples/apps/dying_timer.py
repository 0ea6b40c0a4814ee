"""A NAT as a Ryu exercise. Its timer dies with the first port that it returns: it deletes from what it iterates.

    ./lastport run release --gateway app --set app=docs/examples/apps/dying_timer.py

Ryu prints the exception and goes on without that thread, so the NAT works until its ports have run out.
"""

from ryu.base import app_manager
from ryu.controller import ofp_event
from ryu.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from ryu.lib import hub
from ryu.lib.packet import arp, ethernet, ipv4, packet, tcp, udp
from ryu.ofproto import ofproto_v1_3

import lastport_wiring as wiring

NAMES = {6: "tcp", 17: "udp"}
IDLE = {6: int(wiring.TCP_IDLE_TIMEOUT), 17: int(wiring.UDP_TIMEOUT)}


class Napt(app_manager.RyuApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.free = {proto: list(range(wiring.FIRST_PORT, wiring.LAST_PORT + 1)) for proto in NAMES}
        self.table = {}  # (protocol, address, port) of a host -> external port
        self.rules = {}  # the same -> rules that the switch still has
        self.arp_table = {}
        self.timer = hub.spawn(self.expire)

    def expire(self):
        while True:
            hub.sleep(0.5)
            for key, port in self.table.items():
                if not self.rules[key]:
                    del self.table[key]
                    self.free[key[0]].append(port)

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def connected(self, ev):
        dp = ev.msg.datapath
        self.flow(dp, 0, {}, [dp.ofproto_parser.OFPActionOutput(dp.ofproto.OFPP_CONTROLLER, 0xFFFF)])
        self.arp(dp, wiring.WAN_PORT, 1, wiring.WAN_IP, "ff:ff:ff:ff:ff:ff", wiring.NEXT_HOP)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        dp, port = ev.msg.datapath, ev.msg.match["in_port"]
        pkt = packet.Packet(ev.msg.data)
        if arp.arp in pkt:
            self.handle_arp(dp, port, pkt.get_protocol(arp.arp))
        elif port == wiring.LAN_PORT and (tcp.tcp in pkt or udp.udp in pkt):
            self.handle_outbound(dp, pkt, ev.msg.data)

    def handle_arp(self, dp, port, question):
        self.arp_table[question.src_ip] = question.src_mac
        if question.opcode == 1 and question.dst_ip in (wiring.LAN_IP, *wiring.EXTERNAL_IPS):
            self.arp(dp, port, 2, question.dst_ip, question.src_mac, question.src_ip)

    def handle_outbound(self, dp, pkt, data):
        ip = pkt.get_protocol(ipv4.ipv4)
        segment = pkt.get_protocol(tcp.tcp) or pkt.get_protocol(udp.udp)
        key = (ip.proto, ip.src, segment.src_port)
        if key not in self.table:
            if not self.free[ip.proto]:
                return
            self.table[key] = self.free[ip.proto].pop(0)
        name, port, host = NAMES[ip.proto], self.table[key], pkt.get_protocol(ethernet.ethernet).src
        self.rules[key] = 2
        out = self.actions(
            dp,
            {"ipv4_src": wiring.EXTERNAL_IP},
            {f"{name}_src": port},
            self.arp_table[wiring.NEXT_HOP],
            wiring.WAN_PORT,
        )
        back = self.actions(dp, {"ipv4_dst": ip.src}, {f"{name}_dst": segment.src_port}, host, wiring.LAN_PORT)
        common = {"eth_type": 0x0800, "ip_proto": ip.proto}
        inbound = {"in_port": wiring.WAN_PORT, "ipv4_dst": wiring.EXTERNAL_IP, f"{name}_dst": port}
        outbound = {"in_port": wiring.LAN_PORT, "ipv4_src": ip.src, f"{name}_src": segment.src_port}
        closing = [dp.ofproto_parser.NXActionFinTimeout(int(wiring.TCP_CLOSE_TIMEOUT), 0)] if ip.proto == 6 else []
        self.flow(dp, 10, {**common, **inbound}, closing + back, IDLE[ip.proto])
        self.flow(dp, 10, {**common, **outbound}, closing + out, IDLE[ip.proto])
        self.send(dp, data, out)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed(self, ev):
        match = ev.msg.match
        name = NAMES[match["ip_proto"]]
        for key, port in self.table.items():
            if key[0] == match["ip_proto"] and (
                key[1:] == (match.get("ipv4_src"), match.get(f"{name}_src")) or port == match.get(f"{name}_dst")
            ):
                self.rules[key] -= 1

    def actions(self, dp, address, port, mac, out_port):
        parser = dp.ofproto_parser
        fields = (address, port, {"eth_src": wiring.MAC}, {"eth_dst": mac})
        rewritten = [parser.OFPActionSetField(**field) for field in fields]
        return [*rewritten, parser.OFPActionDecNwTtl(), parser.OFPActionOutput(out_port)]

    def flow(self, dp, priority, match, actions, idle=0):
        parser, ofproto = dp.ofproto_parser, dp.ofproto
        dp.send_msg(
            parser.OFPFlowMod(
                datapath=dp,
                priority=priority,
                match=parser.OFPMatch(**match),
                idle_timeout=idle,
                flags=ofproto.OFPFF_SEND_FLOW_REM if idle else 0,
                instructions=[parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)],
            )
        )

    def send(self, dp, data, actions):
        ofproto = dp.ofproto
        dp.send_msg(
            dp.ofproto_parser.OFPPacketOut(dp, ofproto.OFP_NO_BUFFER, ofproto.OFPP_CONTROLLER, actions, data)
        )

    def arp(self, dp, port, opcode, src_ip, dst_mac, dst_ip):
        pkt = packet.Packet()
        pkt.add_protocol(ethernet.ethernet(dst_mac, wiring.MAC, 0x0806))
        pkt.add_protocol(arp.arp(opcode=opcode, src_mac=wiring.MAC, src_ip=src_ip, dst_mac=dst_mac, dst_ip=dst_ip))
        pkt.serialize()
        self.send(dp, pkt.data, [dp.ofproto_parser.OFPActionOutput(port)])
