"""The Ryu application: it receives, asks the router, and sends. Every decision is made elsewhere.

Packet-ins come straight from `loop`, by the hundred in one piece. Everything else comes as the framework's events.
"""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

from controller.openflow.asking import answer
from controller.openflow.fatal import die, fatal
from controller.openflow.framework import App, handler, hub, ofp_event, ofproto, version
from controller.openflow.latency import Latency
from controller.openflow.messages import echo, rule_counts
from controller.openflow.outbox import Outbox
from controller.openflow.recorder import Recorder
from controller.openflow.router import Router
from controller.openflow.rules import Table
from controller.openflow.statistics import RuleCount
from controller.openflow.telemetry import GAUGES_EVERY_S, Telemetry, gauges, recorded
from controller.recording import RecordingPlan

TICK_S = 0.05
"""The time between two ticks, by which time passes for the NAT: the precision of its timers."""
SUMS_WITHIN_S = 10.0
"""The longest wait for the switch's own counts before the gauges are sent without them."""


class NatApp(App):
    """One router behind one switch."""

    OFP_VERSIONS: ClassVar = [ofproto.OFP_VERSION]
    router: ClassVar[Router]
    outbox: ClassVar[Outbox]
    """The router's orders to the switch."""
    telemetry: ClassVar[Telemetry]
    datapath: ClassVar[Any] = None
    """The newest connection."""

    def start(self) -> None:
        """Start the application's own loops."""
        super().start()
        self._is_ready = False
        self._counts: dict[int, list[RuleCount]] = {}
        self._has_sums = hub.Event()
        self._latency = Latency(TICK_S)
        self._recorder: Recorder | None = None
        for loop in (self._tick, self._report, self._answer):
            hub.spawn(fatal(loop))

    @classmethod
    def send(cls) -> None:
        """Send the router's orders since the last time, in one piece."""
        data = cls.outbox.take()
        if data:
            cls.datapath.send(data)

    # From the switch

    @handler.set_ev_cls(ofp_event.EventOFPSwitchFeatures, handler.CONFIG_DISPATCHER)
    @fatal
    def switch_connected(self, event: Any) -> None:
        """Fill the tables. The barrier's reply confirms that they are full."""
        type(self).datapath = event.msg.datapath
        self._counts.clear()
        self._is_ready = False
        self._latency.restarted(time.monotonic())
        self.router.connected(time.monotonic())
        self.outbox.confirm()
        self.send()

    @handler.set_ev_cls(ofp_event.EventOFPPacketIn, handler.MAIN_DISPATCHER)
    @fatal
    def packet_in(self, event: Any) -> None:
        """Decide on a packet that came with more than its port. All others come from `loop`."""
        msg = event.msg
        self.router.packet_in(Table(msg.table_id), msg.match["in_port"], msg.data, time.monotonic())
        self.send()

    @handler.set_ev_cls(ofp_event.EventOFPFlowStatsReply, handler.MAIN_DISPATCHER)
    @fatal
    def counts(self, event: Any) -> None:
        """Gather the parts of a reply, and pass on the whole."""
        msg = event.msg
        self._counts.setdefault(msg.xid, []).extend(rule_counts(msg))
        if msg.flags & ofproto.OFPMPF_REPLY_MORE:
            return
        counts, cookie = self._counts.pop(msg.xid), self.outbox.polled(msg.xid)
        if cookie is not None:
            self.router.counted(cookie, counts, time.monotonic())
            self.send()

    @handler.set_ev_cls(ofp_event.EventOFPAggregateStatsReply, handler.MAIN_DISPATCHER)
    @fatal
    def summed_up(self, event: Any) -> None:
        """Take note of the sum of some rules' counts."""
        why = self.outbox.summed_up(event.msg.xid)
        if why is not None:
            self.router.drops.summed_up(why, event.msg.body.packet_count)
        if not self.outbox.is_summing_up:
            self._has_sums.set()

    @handler.set_ev_cls(ofp_event.EventOFPBarrierReply, [handler.CONFIG_DISPATCHER, handler.MAIN_DISPATCHER])
    @fatal
    def confirmed(self, event: Any) -> None:
        """Take note that what was sent before the barrier is in the tables, and do what was to follow."""
        do = self.outbox.done(event.msg.xid)
        if do is not None:
            do(time.monotonic())
            self.send()
            return
        self.outbox.confirmed()
        if not self._is_ready:
            self._is_ready = True
            self.telemetry.send(ready=True, framework=version())

    @handler.set_ev_cls(ofp_event.EventOFPErrorMsg, [handler.CONFIG_DISPATCHER, handler.MAIN_DISPATCHER])
    @fatal
    def refused(self, event: Any) -> None:
        """Roll back the flow whose rule was refused, or end the controller: there is no NAT without base rules."""
        msg = event.msg
        refused = self.outbox.refused(msg.xid)
        if refused is None:
            die(f"the switch refused a message: type {msg.type}, code {msg.code}")
        else:
            self.router.refused(*refused, time.monotonic())
            self.send()

    @handler.set_ev_cls(ofp_event.EventOFPEchoReply, handler.MAIN_DISPATCHER)
    @fatal
    def echoed(self, event: Any) -> None:
        """Take note of how long the switch took."""
        self._latency.answered(time.monotonic())

    # Loops

    def _tick(self) -> None:
        while True:
            hub.sleep(TICK_S)
            if self.datapath is not None:
                now = time.monotonic()
                self.router.tick(now)
                if self.outbox.is_unconfirmed:
                    self.outbox.confirm()
                if self._is_ready and self._latency.ticks(now):
                    self.outbox.append(echo())
                self.send()

    def _report(self) -> None:
        while True:
            hub.sleep(GAUGES_EVERY_S)
            self._send_gauges()

    def _answer(self) -> None:
        for request in self.telemetry.requests():
            if "record" in request:
                self._record(RecordingPlan(**request["record"]))
                continue
            told = answer(self.router, request, time.monotonic())
            self.send()
            self._sum_up()
            self._send_gauges(id=request["id"], **told)
        os._exit(0)  # the process that started the controller is gone

    def _record(self, plan: RecordingPlan) -> None:
        self._recorder = Recorder(plan, self.router.nat.settings.external_addresses)
        self.router.record(self._recorder, time.monotonic())

    def _send_gauges(self, **fields: Any) -> None:
        events = {} if self._recorder is None else recorded(self._recorder.batch)
        self.telemetry.send(**fields, **events, gauges=self._gauges(), at=time.monotonic())

    def _gauges(self) -> dict[str, Any]:
        return {**gauges(self.router), "latency": {"longest_s": self._latency.longest(time.monotonic())}}

    def _sum_up(self) -> None:
        """Wait for the switch's own counts, but not long: it may be gone, or busy."""
        if self._is_ready:
            self._has_sums.clear()
            self.router.sum_up()
            self.send()
            self._has_sums.wait(SUMS_WITHIN_S)
