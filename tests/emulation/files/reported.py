"""A scenario that reads what the kernel of a Linux NAT reports of its connections while they open and close."""

from __future__ import annotations

import socket

from scenarios.shared.filling import QUICK_RELEASE, Filling
from testbed.api import Experiment, Parameters, Scenario
from testbed.sandbox.linux import network_of
from topologies.gateways.conntrack.messages import GROUPS, NETLINK_NETFILTER

ATTEMPTS = 4
PATIENCE_S = 8.0
STATE = b"\x05\x00\x01\x00"
"""The head of the last attribute of length 5 and type 1: CTA_PROTOINFO_TCP_STATE (nfnetlink_conntrack.h)."""
FIN_WAIT, LAST_ACK, TIME_WAIT = 4, 6, 7


class Reported(Scenario[Parameters]):
    """Which steps of a TCP connection does the kernel report?"""

    story = "It is over."
    settings = QUICK_RELEASE

    def run(self, x: Experiment[Parameters]) -> None:
        """Open and close connections, and read what was reported meanwhile."""
        filling = Filling(x, attempts=ATTEMPTS)
        with network_of(x.lab.gateway.netns):
            kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        with kernel:
            kernel.bind((0, GROUPS))
            kernel.setblocking(False)
            filled = filling.fill("fill", ATTEMPTS, in_order=1, patience=PATIENCE_S)
            opened = _states(kernel)
            filling.drain(filled)
            closed = _states(kernel)
        x.check("states while they open", expected=[], observed=opened, source="nft(8), ct event")
        x.check(
            "states while they close",
            expected=ATTEMPTS * [FIN_WAIT] + ATTEMPTS * [LAST_ACK] + ATTEMPTS * [TIME_WAIT],
            observed=sorted(closed),
            source="nft(8), ct event",
        )
        x.account(filled)
        x.tell()


def _states(kernel: socket.socket) -> list[int]:
    """Return the states in what was reported of changes, in order."""
    states = []
    while True:
        try:
            message = kernel.recv(1 << 16)
        except BlockingIOError:
            return states
        kind, flags = int.from_bytes(message[4:6], "little"), int.from_bytes(message[6:8], "little")
        if kind == 0x0100 and not flags:
            states.append(message[message.rindex(STATE) + len(STATE)])
