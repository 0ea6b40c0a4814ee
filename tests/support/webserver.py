"""The page's server in this process, on a free port, and a client that sends what it is told to."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbed.web.listening import Listener, listen
from testbed.web.serving import Server
from testbed.web.site import Shelf

TOKEN = "token"
DEADLINE_S = 60


@contextmanager
def served(shelf: Shelf, port: int = 0) -> Iterator[Listener]:
    """Serve a shelf while the block lasts."""
    listener = listen(port=port, token=TOKEN)
    server = Server(shelf, TOKEN)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener.socket])))
    thread.start()
    try:
        yield listener
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def ask(listener: Listener, path: str, *, method: str = "GET", host: str = "") -> http.client.HTTPResponse:
    """Return the answer to a request, whose path is sent as it is. Its body is still to be read."""
    at, port = listener.socket.getsockname()[:2]
    connection = http.client.HTTPConnection(at, port, timeout=DEADLINE_S)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or f"{at}:{port}")
    connection.putheader("Connection", "close")
    connection.endheaders()
    return connection.getresponse()


def get(listener: Listener, path: str) -> bytes:
    """Return what is at a path behind the token. It has to be there."""
    answer = ask(listener, f"/{TOKEN}/{path}")
    assert answer.status == 200, path
    return answer.read()


def events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Yield the name and the content of each server-sent event, as it comes."""
    name = ""
    for line in answer:
        field, _, value = line.decode().strip().partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)
