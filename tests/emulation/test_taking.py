"""What a packet socket has is read to an end, however fast more comes."""

from __future__ import annotations

import contextlib
import socket
import subprocess

from testbed.evidence.sockets import ETH_P_ALL, listening, taken
from topologies.network.namespaces import Namespace

ANYTHING = [(0x06, 0, 0, 1 << 18)]
FRAME = bytes(12) + b"\x88\xb5" + bytes(50)
BUFFER = 1 << 14


def test_frames_that_come_while_others_are_taken_are_left_for_the_next_time() -> None:
    """A frame is sent for each one that is taken, so there is always one more. All of the first ones are taken."""
    with contextlib.closing(Namespace()) as namespace, namespace.entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind(("lo", 0))
        receiver = listening(namespace.path, "lo", ANYTHING, ETH_P_ALL, arriving=True, buffer=BUFFER)
        with sender, receiver:
            for number in range(10):
                sender.send(FRAME + bytes([number]))
            came = []
            for _, _, frame in taken(receiver, 2048):
                came.append(frame[-1])
                sender.send(FRAME + b"\xff")
                assert len(came) <= BUFFER, "it goes on for ever"

    assert came[:10] == list(range(10))
