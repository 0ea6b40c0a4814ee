"""Gauges are sent while something goes on, by gateways of any kind."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

from testbed.experiment.gauging import gauged
from testbed.sandbox.records import Channel
from topologies.gateways.base import Gateway, GatewayError
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.gauges import Gauges, PortGauge


class Telling(Gateway):
    """A gateway that knows its ports."""

    @classmethod
    def declare(cls, settings: Any, options: Any) -> Behaviour:
        """Return nothing, since nobody asks."""
        raise NotImplementedError

    def gauges(self) -> Gauges:
        """Return one port."""
        return Gauges([PortGauge("192.0.2.1", "tcp", 1, 3)], {"total_sessions": 1})


class Unable(Telling):
    """A gateway that has ended; `asked` is how often it was asked."""

    asked = 0

    def gauges(self) -> Gauges:
        """Raise what a gateway raises."""
        Unable.asked += 1
        raise GatewayError("it has ended")


def test_a_gateway_that_cannot_answer_is_asked_once_and_the_others_go_on() -> None:
    """Every record names its gateway, and none comes when it is over."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile() as lines:
        with gauged({"inner": Telling(), "carrier": Unable()}, Channel(theirs)):
            records = [json.loads(lines.readline()) for _ in range(3)]
        for thread in threading.enumerate():
            if thread.daemon and thread.name.endswith("(_send)"):
                thread.join()

    assert (
        records
        == [
            {
                "kind": "watched",
                "gateway": "inner",
                "ports": [["192.0.2.1", "tcp", 1, 3, None, None]],
                "counters": {"total_sessions": 1},
            }
        ]
        * 3
    )
    assert Unable.asked == 1
