"""The socket that the page is served on, and the URL that leads to it.

The URL has a random token, so that nobody else on the machine or in the network can look. By default the socket is
on the loopback address, where nobody else is in the first place. A machine whose page is looked at from outside,
such as a virtual one, names another address in `LASTPORT_WEB_ADDRESS`.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass

from controller.settings import ConfigurationError

PORT = 8470
LOOPBACK = "127.0.0.1"
VARIABLE = "LASTPORT_WEB_ADDRESS"
"""The variable of the environment with the address that is the default on this machine."""
BACKLOG = 64


@dataclass(frozen=True, slots=True)
class Listener:
    """An open socket, and the token that a URL for it needs."""

    socket: socket.socket
    token: str

    @property
    def url(self) -> str:
        """The page's URL. A socket on all addresses is at the loopback address as well."""
        host, port = self.socket.getsockname()[:2]
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            address = ipaddress.ip_address("::1" if address.version == 6 else LOOPBACK)
        name = f"[{address}]" if address.version == 6 else str(address)
        return f"http://{name}:{port}/{self.token}/"


def listen(address: str | None = None, port: int | None = None, *, token: str = "") -> Listener:
    """Open the socket for the page. Port 0 is any that is free. Raises ConfigurationError if that cannot be."""
    named = "--web-address" if address is not None else VARIABLE
    address = address if address is not None else os.environ.get(VARIABLE) or LOOPBACK
    port = PORT if port is None else port
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        raise ConfigurationError(
            f"{named} {address!r} is no IP address; for every address of this machine give 0.0.0.0"
        ) from None
    opened = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((address, port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise ConfigurationError(
            f"--web-port {port}: {error.strerror} ({address}); take another port, or any that is free with "
            "--web-port 0"
        ) from None
    return Listener(opened, token or secrets.token_urlsafe(16))
