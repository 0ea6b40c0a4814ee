"""A NAT as a Ryu app that does what the RFCs ask, as far as a few pages of code can. The other apps here do not.

    ./lastport run release --gateway app --set app=docs/examples/apps/whole_nat.py

A mapping has two rules, one for each direction. It goes when both have been idle, or some time after the end of
its connection. FIN and RST come to the controller, which sends them on and sees the end. So does every ping, since
OpenFlow cannot rewrite an identifier.
"""

import math
import time

from lastport_wiring import (
    EXTERNAL_IP,
    FIRST_PORT,
    ICMP_TIMEOUT,
    LAN_IP,
    LAN_PORT,
    LAST_PORT,
    MAC,
    NEXT_HOP,
    TCP_CLOSE_TIMEOUT,
    TCP_IDLE_TIMEOUT,
    TCP_RST_TIMEOUT,
    UDP_TIMEOUT,
    WAN_IP,
    WAN_PORT,
)
from ryu.base import app_manager
from ryu.controller import ofp_event
from ryu.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from ryu.lib import hub
from ryu.lib.packet import arp, ethernet, icmp, ipv4, packet, tcp, udp
from ryu.ofproto import ofproto_v1_3

FIN, SYN, RST = 1, 2, 4
NAMES = {6: "tcp", 17: "udp"}
IDLE = {6: TCP_IDLE_TIMEOUT, 17: UDP_TIMEOUT}


def whole(seconds):
    """Return the whole seconds of a rule. One with 0 would never end."""
    return max(1, math.ceil(seconds))


class Mapping:
    def __init__(self, protocol, inside, mac, port):
        self.protocol, self.inside, self.mac, self.port = protocol, inside, mac, port
        self.rules, self.fins, self.is_closing = set(), set(), False
        self.used_at = time.monotonic()


class WholeNat(app_manager.RyuApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.neighbours = {}
        self.free = {protocol: list(range(FIRST_PORT, LAST_PORT + 1)) for protocol in (1, 6, 17)}
        self.inside, self.outside = {}, {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_features(self, event):
        self.datapath = event.msg.datapath
        self.p, self.o = self.datapath.ofproto_parser, self.datapath.ofproto
        to_controller = [self.p.OFPActionOutput(self.o.OFPP_CONTROLLER, self.o.OFPCML_NO_BUFFER)]
        self.rule(0, {}, to_controller)
        for flag in (FIN, RST):
            self.rule(20, {"eth_type": 0x0800, "ip_proto": 6, "tcp_flags": (flag, flag)}, to_controller)
        self.ask(NEXT_HOP)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        data, port = event.msg.data, event.msg.match["in_port"]
        frame = packet.Packet(data)
        if question := frame.get_protocol(arp.arp):
            self.neighbours[question.src_ip] = question.src_mac
            if question.opcode == arp.ARP_REQUEST and question.dst_ip in (LAN_IP, WAN_IP, EXTERNAL_IP):
                self.tell(port, arp.ARP_REPLY, question.dst_ip, question.src_mac, question.src_ip)
            return
        ip = frame.get_protocol(ipv4.ipv4)
        if ip is None or NEXT_HOP not in self.neighbours:
            return
        if ip.proto == 1:
            self.ping(port, frame, ip)
        elif ip.proto in NAMES and (segment := frame.get_protocol(tcp.tcp) or frame.get_protocol(udp.udp)):
            mac = frame.get_protocol(ethernet.ethernet).src
            self.pass_on(port, ip, segment, mac, data)

    def pass_on(self, port, ip, segment, mac, data):
        flags = segment.bits if ip.proto == 6 else 0
        if port == LAN_PORT:
            mapping = self.inside.get((ip.proto, ip.src, segment.src_port))
            if mapping is None and (ip.proto == 17 or flags & (SYN | RST | FIN) == SYN):
                mapping = self.map(ip.proto, (ip.src, segment.src_port), mac)
            if mapping is not None and not mapping.is_closing and len(mapping.rules) < 2:
                self.install(mapping)
        else:
            wanted = ip.dst == EXTERNAL_IP
            mapping = self.outside.get((ip.proto, segment.dst_port)) if wanted else None
        if mapping is None:
            return
        actions = self.outbound(mapping) if port == LAN_PORT else self.inbound(mapping)
        self.send(data, actions)
        mapping.used_at = time.monotonic()
        if flags & FIN:
            mapping.fins.add(port)
        if not mapping.is_closing and (flags & RST or len(mapping.fins) == 2):
            mapping.is_closing = True
            hub.spawn_after(TCP_RST_TIMEOUT if flags & RST else TCP_CLOSE_TIMEOUT, self.end, mapping)

    def map(self, protocol, inside, mac):
        if not self.free[protocol]:
            return None
        mapping = Mapping(protocol, inside, mac, self.free[protocol].pop(0))
        self.inside[protocol, *inside] = self.outside[protocol, mapping.port] = mapping
        return mapping

    def end(self, mapping):
        if self.outside.pop((mapping.protocol, mapping.port), None) is mapping:
            del self.inside[mapping.protocol, *mapping.inside]
            for match in self.matches(mapping):
                self.rule(10, match, [], command=self.o.OFPFC_DELETE_STRICT)
            hub.spawn_after(0.5, self.free[mapping.protocol].append, mapping.port)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def flow_removed(self, event):
        message = event.msg
        mapping = self.outside.get((message.match["ip_proto"], message.cookie >> 1))
        if mapping is not None and message.reason == self.o.OFPRR_IDLE_TIMEOUT:
            mapping.rules.discard(message.cookie & 1)
            self.end_if_idle(mapping)

    def end_if_idle(self, mapping):
        """End a mapping without rules. What came to the controller, such as a FIN, was no packet of its rules."""
        if mapping.rules or mapping.is_closing:
            return
        if (left := mapping.used_at + IDLE[mapping.protocol] - time.monotonic()) > 0:
            hub.spawn_after(left, self.end_if_idle, mapping)
        else:
            self.end(mapping)

    def matches(self, mapping):
        name, (address, port) = NAMES[mapping.protocol], mapping.inside
        common = {"eth_type": 0x0800, "ip_proto": mapping.protocol}
        yield {**common, "in_port": LAN_PORT, "ipv4_src": address, f"{name}_src": port}
        yield {**common, "in_port": WAN_PORT, "ipv4_dst": EXTERNAL_IP, f"{name}_dst": mapping.port}

    def install(self, mapping):
        both = zip(self.matches(mapping), (self.outbound(mapping), self.inbound(mapping)), strict=True)
        for side, (match, actions) in enumerate(both):
            mapping.rules.add(side)
            self.rule(10, match, actions, idle=whole(IDLE[mapping.protocol]), cookie=mapping.port << 1 | side)

    def outbound(self, mapping):
        name, p = NAMES[mapping.protocol], self.p
        rewritten = ({"ipv4_src": EXTERNAL_IP}, {f"{name}_src": mapping.port})
        return self.hop(rewritten, self.neighbours[NEXT_HOP], WAN_PORT, p)

    def inbound(self, mapping):
        name, (address, port) = NAMES[mapping.protocol], mapping.inside
        return self.hop(({"ipv4_dst": address}, {f"{name}_dst": port}), mapping.mac, LAN_PORT, self.p)

    def hop(self, rewritten, mac, port, p):
        fields = (*rewritten, {"eth_src": MAC}, {"eth_dst": mac})
        return [*(p.OFPActionSetField(**each) for each in fields), p.OFPActionDecNwTtl(), p.OFPActionOutput(port)]

    def ping(self, port, frame, ip):
        echo = frame.get_protocol(icmp.icmp)
        if echo is None or not isinstance(echo.data, icmp.echo) or ip.ttl < 2:
            return
        if port == LAN_PORT and echo.type == icmp.ICMP_ECHO_REQUEST:
            mapping = self.inside.get((1, ip.src, echo.data.id))
            if mapping is None:
                mapping = self.map(1, (ip.src, echo.data.id), frame.get_protocol(ethernet.ethernet).src)
                if mapping is None:
                    return
                hub.spawn_after(ICMP_TIMEOUT, self.forget, mapping)
            ip.src, echo.data.id, mac, out = EXTERNAL_IP, mapping.port, self.neighbours[NEXT_HOP], WAN_PORT
        elif port == WAN_PORT and echo.type == icmp.ICMP_ECHO_REPLY and ip.dst == EXTERNAL_IP:
            mapping = self.outside.get((1, echo.data.id))
            if mapping is None:
                return
            (ip.dst, echo.data.id), mac, out = mapping.inside, mapping.mac, LAN_PORT
        else:
            return
        ip.ttl, ip.csum, echo.csum = ip.ttl - 1, 0, 0
        made = packet.Packet()
        for header in (ethernet.ethernet(dst=mac, src=MAC, ethertype=0x0800), ip, echo):
            made.add_protocol(header)
        made.serialize()
        self.send(made.data, [self.p.OFPActionOutput(out)])

    def forget(self, mapping):
        if self.outside.pop((1, mapping.port), None) is mapping:
            del self.inside[1, *mapping.inside]
            self.free[1].append(mapping.port)

    def ask(self, address):
        self.tell(WAN_PORT, arp.ARP_REQUEST, WAN_IP, "ff:ff:ff:ff:ff:ff", address)

    def tell(self, port, opcode, own, mac, address):
        made = packet.Packet()
        made.add_protocol(ethernet.ethernet(dst=mac, src=MAC, ethertype=0x0806))
        made.add_protocol(arp.arp(opcode=opcode, src_mac=MAC, src_ip=own, dst_mac=mac, dst_ip=address))
        made.serialize()
        self.send(made.data, [self.p.OFPActionOutput(port)])

    def rule(self, priority, match, actions, idle=0, cookie=0, command=0):
        p, o = self.p, self.o
        self.datapath.send_msg(
            p.OFPFlowMod(
                datapath=self.datapath,
                command=command,
                cookie=cookie,
                priority=priority,
                match=p.OFPMatch(**match),
                idle_timeout=idle,
                out_port=o.OFPP_ANY,
                out_group=o.OFPG_ANY,
                flags=o.OFPFF_SEND_FLOW_REM if idle else 0,
                instructions=[p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, actions)],
            )
        )

    def send(self, data, actions):
        p, o = self.p, self.o
        self.datapath.send_msg(
            p.OFPPacketOut(
                datapath=self.datapath,
                buffer_id=o.OFP_NO_BUFFER,
                in_port=o.OFPP_CONTROLLER,
                actions=actions,
                data=data,
            )
        )
