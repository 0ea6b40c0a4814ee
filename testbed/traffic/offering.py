"""What every host outside offers to programs, by one process for all of them: echo and HTTP.

    echo   TCP and UDP, port 7 (RFC 862): every byte comes back
    HTTP   port 80: `/` names the endpoint that the server sees, `/SIZE` is a file of that size, such as /1500,
           /10M or /4G, all zeros; what is sent by POST or PUT is read, and its number of bytes returned

The programs behind it are Python's own servers. It is started with the network namespaces and addresses of all
hosts, as JSON, and writes a line to standard output when all sockets listen.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import socket
import socketserver
import sys
import threading
from typing import Any

from testbed.sandbox.linux import network_of

ECHO, HTTP = 7, 80
SOCKETS = ((socket.SOCK_STREAM, ECHO), (socket.SOCK_DGRAM, ECHO), (socket.SOCK_STREAM, HTTP))
PIECE = 1 << 20
BACKLOG = 1024
SIZES = re.compile(r"/(\d{1,12})([kKMGT]?)i?B?")
POWERS = {"": 0, "k": 10, "K": 10, "M": 20, "G": 30, "T": 40}
ZEROS = os.memfd_create("zeros")
"""A file of zeros that takes no memory."""


class Threads(socketserver.ThreadingMixIn):
    """A thread for each connection, none of which holds up the end of the process."""

    daemon_threads = True
    block_on_close = False


class EchoServer(Threads, socketserver.TCPServer):
    """Echo over TCP."""


class WebServer(Threads, http.server.HTTPServer):
    """HTTP."""


class Echo(socketserver.BaseRequestHandler):
    """Send every byte back."""

    def handle(self) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError):
            while data := self.request.recv(PIECE):
                self.request.sendall(data)


class Web(http.server.BaseHTTPRequestHandler):
    """Serve a file of any size, and the endpoint that a client seems to have."""

    protocol_version = "HTTP/1.1"
    server_version = "lastport"

    def do_GET(self) -> None:
        """Send what the path names."""
        self._serve(self.path.partition("?")[0])

    def do_HEAD(self) -> None:
        """Send the headers of that alone."""
        self._serve(self.path.partition("?")[0])

    def do_POST(self) -> None:
        """Read what is sent."""
        left = length = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (part := self.rfile.read(min(left, PIECE))):
            left -= len(part)
        self._text(f"{length - left}\n")

    do_PUT = do_POST  # noqa: N815 (the library's name)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _serve(self, path: str) -> None:
        size = size_of(path)
        if path == "/":
            self._text("{}:{}\n".format(*self.client_address[:2]))
        elif size is None:
            self.send_error(404, "no such file", "there are /, and /SIZE, such as /1500, /10M and /4G")
        else:
            self._head(size, "application/octet-stream")
            if self.command != "HEAD":
                self._zeros(size)

    def _text(self, text: str) -> None:
        self._head(len(text), "text/plain")
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def _head(self, length: int, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _zeros(self, size: int) -> None:
        self.wfile.flush()
        while size > 0:
            sent = os.sendfile(self.connection.fileno(), ZEROS, 0, min(size, PIECE))
            if not sent:
                return
            size -= sent

    def handle(self) -> None:
        """Serve one connection, which a client may leave in any way."""
        with contextlib.suppress(OSError):
            super().handle()


def size_of(path: str) -> int | None:
    """Return the bytes of the file at a path: `/10M` has ten times 2 to the 20th. None: there is no such file."""
    found = SIZES.fullmatch(path)
    return None if found is None else int(found[1]) << POWERS[found[2]]


def bound(kind: socket.SocketKind, port: int, address: str) -> socket.socket:
    """Return a socket of this kind at an address and port, in the network namespace that this thread is in."""
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    if kind is socket.SOCK_STREAM:
        made.listen(BACKLOG)
    return made


def serve_tcp(kind: type[socketserver.TCPServer], handler: type, listening: socket.socket) -> None:
    """Serve a listening socket, in a thread."""
    server = kind(listening.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    threading.Thread(target=server.serve_forever, daemon=True).start()


def echo_datagrams(datagrams: socket.socket) -> None:
    """Send every datagram back, for ever."""
    while True:
        with contextlib.suppress(OSError):  # an ICMP error about an earlier one
            data, source = datagrams.recvfrom(1 << 16)
            datagrams.sendto(data, source)


def main() -> None:
    """Open all sockets, and serve them until this process is ended."""
    os.truncate(ZEROS, PIECE)
    for netns, addresses in json.loads(sys.argv[1]):
        with network_of(netns):
            sockets = [[bound(*each, address) for each in SOCKETS] for address in addresses]
        for echo, datagrams, web in sockets:
            serve_tcp(EchoServer, Echo, echo)
            serve_tcp(WebServer, Web, web)
            threading.Thread(target=echo_datagrams, args=(datagrams,), daemon=True).start()
    print(flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
