"""Sending the gauges of each gateway to the launcher, for those who watch: in a thread, and at almost no cost.

The record is `watched`. A gateway that takes long to answer is asked less often, so that the questions take a
small share of the time. One that does not answer is asked no more, and the scenario finds out what is wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from testbed.sandbox.records import Channel
from topologies.gateways.base import Gateway, GatewayError

EVERY_S = 0.25
MOST_OF_THE_TIME = 0.03
"""The share of the time that the questions to one gateway take at most."""


@contextmanager
def gauged(gateways: Mapping[str, Gateway], channel: Channel) -> Iterator[None]:
    """Send gauges during the block. The thread is not waited for: a gateway may be slow to answer."""
    is_over = threading.Event()
    for name, gateway in gateways.items():
        threading.Thread(target=_send, args=(name, gateway, channel, is_over), daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _send(name: str, gateway: Gateway, channel: Channel, is_over: threading.Event) -> None:
    """Send the gauges of one gateway, until the block is over."""
    wait_s = 0.0
    while not is_over.wait(wait_s):
        began = time.monotonic()
        try:
            gauges = gateway.gauges()
        except (GatewayError, OSError):
            return
        wait_s = max(EVERY_S, (time.monotonic() - began) / MOST_OF_THE_TIME)
        if not is_over.is_set():
            channel.offer("watched", gateway=name, **gauges.as_json())
