"""The Ryu application: it receives, asks the router, and sends. Every decision is made elsewhere."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from controller.openflow.commands import Command, Install, Poll
from controller.openflow.framework import App, handler, hub, ofp_event, ofproto, parser, version
from controller.openflow.messages import messages, rule_counts
from controller.openflow.pipeline import Table
from controller.openflow.router import Router
from controller.openflow.statistics import RuleCount
from controller.telemetry import GAUGES_EVERY_S, Telemetry, gauges

TICK_S = 0.05
"""How often time passes for the NAT: the precision of its timers."""


def _fatal(function: Callable[..., None]) -> Callable[..., None]:
    """Let no failure pass: the framework would log it, and go on with a NAT that has lost its rules."""

    @functools.wraps(function)
    def guarded(*arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception as error:  # whatever it is, it ends the process
            sys.excepthook(type(error), error, error.__traceback__)
            _die(f"{function.__name__} failed")

    return guarded


class NatApp(App):
    """One router behind one switch."""

    OFP_VERSIONS: ClassVar = [ofproto.OFP_VERSION]
    router: ClassVar[Router]
    telemetry: ClassVar[Telemetry]

    def start(self) -> None:
        """Start the application's own loops."""
        super().start()
        self._datapath: Any = None
        self._is_ready = False
        self._unconfirmed: dict[int, Install] = {}
        self._awaiting_barrier: dict[int, Install] = {}
        self._counts: dict[int, list[RuleCount]] = {}
        self._polls: dict[int, int] = {}
        for loop in (self._tick, self._report, self._answer):
            hub.spawn(_fatal(loop))

    # From the switch

    @handler.set_ev_cls(ofp_event.EventOFPSwitchFeatures, handler.CONFIG_DISPATCHER)
    @_fatal
    def switch_connected(self, event: Any) -> None:
        """Fill the tables; the barrier's reply says that they are full."""
        self._datapath = event.msg.datapath
        for of_the_last_connection in (self._polls, self._counts, self._unconfirmed, self._awaiting_barrier):
            of_the_last_connection.clear()
        self._is_ready = False
        self._carry_out(self.router.connected(time.monotonic()))
        self._confirm()

    @handler.set_ev_cls(ofp_event.EventOFPPacketIn, handler.MAIN_DISPATCHER)
    @_fatal
    def packet_in(self, event: Any) -> None:
        """Decide on a packet."""
        msg = event.msg
        table, in_port = Table(msg.table_id), msg.match["in_port"]
        self._carry_out(self.router.packet_in(table, in_port, msg.data, time.monotonic()))

    @handler.set_ev_cls(ofp_event.EventOFPFlowStatsReply, handler.MAIN_DISPATCHER)
    @_fatal
    def counts(self, event: Any) -> None:
        """Gather the parts of a reply, and pass on the whole."""
        msg = event.msg
        self._counts.setdefault(msg.xid, []).extend(rule_counts(msg))
        if msg.flags & ofproto.OFPMPF_REPLY_MORE:
            return
        counts, cookie = self._counts.pop(msg.xid), self._polls.pop(msg.xid, None)
        if cookie is not None:
            self._carry_out(self.router.counted(cookie, counts, time.monotonic()))

    @handler.set_ev_cls(ofp_event.EventOFPBarrierReply, [handler.CONFIG_DISPATCHER, handler.MAIN_DISPATCHER])
    @_fatal
    def confirmed(self, event: Any) -> None:
        """What was sent before the barrier is in the tables."""
        self._awaiting_barrier.clear()
        if not self._is_ready:
            self._is_ready = True
            self.telemetry.send(ready=True, framework=version())

    @handler.set_ev_cls(ofp_event.EventOFPErrorMsg, [handler.CONFIG_DISPATCHER, handler.MAIN_DISPATCHER])
    @_fatal
    def refused(self, event: Any) -> None:
        """Roll back the flow whose rule was refused; without the base rules there is no NAT."""
        msg = event.msg
        sent = self._awaiting_barrier if msg.xid in self._awaiting_barrier else self._unconfirmed
        install = sent.pop(msg.xid, None)
        if install is not None and install.flow is not None:
            self._carry_out(self.router.refused(install, time.monotonic()))
        else:
            _die(f"the switch refused a message: type {msg.type}, code {msg.code}")

    # To the switch

    def _carry_out(self, commands: Iterable[Command]) -> None:
        """Send what the commands say, in one piece."""
        data = bytearray()
        for command in commands:
            for message in messages(self._datapath, command):
                self._datapath.set_xid(message)
                if isinstance(command, Install):
                    self._unconfirmed[message.xid] = command
                elif isinstance(command, Poll):
                    self._polls[message.xid] = command.cookie
                message.serialize()
                data += message.buf
        if data:
            self._datapath.send(data)

    def _confirm(self) -> None:
        if self._unconfirmed and not self._awaiting_barrier:
            self._awaiting_barrier, self._unconfirmed = self._unconfirmed, {}
            self._datapath.send_msg(parser.OFPBarrierRequest(self._datapath))

    # Loops

    def _tick(self) -> None:
        while True:
            hub.sleep(TICK_S)
            if self._datapath is not None:
                self._carry_out(self.router.tick(time.monotonic()))
                self._confirm()

    def _report(self) -> None:
        while True:
            hub.sleep(GAUGES_EVERY_S)
            self.telemetry.send(gauges=gauges(self.router))

    def _answer(self) -> None:
        for request in self.telemetry.requests():
            self.telemetry.send(id=request, gauges=gauges(self.router))
        os._exit(0)  # whoever started the controller is gone


def _die(reason: str) -> None:
    print(f"controller: {reason}", file=sys.stderr, flush=True)
    os._exit(1)
