"""The server beside a run, in a process of its own. It does what the launcher sends, and ends with it.

{"token": ...}                                   the first message
{"begin": key, "title": ...} and two files       a run begins, whose recording grows in the first file, and the
                                                 second has what is known about it, as JSON of any size
{"end": key}                                     it is over: all of its recording is in the file
the end of the stream                            the launcher has gone, or is about to go
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys

from testbed.web.serving import Server
from testbed.web.site import Shelf
from testbed.web.sources import Growing

MOST_BYTES = 1 << 20
NICE = 10
"""How much the server gives way to the run."""


def main(control: int, listener: int) -> None:
    """Serve until the launcher has gone."""
    os.nice(NICE)
    orders = socket.socket(fileno=control)
    token = json.loads(orders.recv(MOST_BYTES))["token"]
    orders.setblocking(False)
    asyncio.run(serve(orders, socket.socket(fileno=listener), token))


async def serve(orders: socket.socket, listener: socket.socket, token: str) -> None:
    """Serve what the orders put on the shelf, until they end; then send what is left, for a limited time."""
    shelf = Shelf()
    serving = Server(shelf, token)

    def take() -> None:
        message, descriptors, _, _ = socket.recv_fds(orders, MOST_BYTES, 2)
        if not message:
            asyncio.get_running_loop().remove_reader(orders)
            serving.should_exit = True
            return
        order = json.loads(message)
        if "begin" in order:
            recording, told = descriptors
            with open(told, "rb") as file:
                file.seek(0)  # the launcher has written up to the end
                shelf.add(Growing(order["begin"], order["title"], recording, json.load(file)))
        else:
            shelf.sources[order["end"]].is_live = False

    asyncio.get_running_loop().add_reader(orders, take)
    await serving.serve(sockets=[listener])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
