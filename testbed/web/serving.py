"""The HTTP server: uvicorn on a socket that is open already, with limits on what viewers can take."""

from __future__ import annotations

import logging
import socket

import uvicorn

from testbed.web.site import Shelf, site

MOST_REQUESTS = 64
ENDS_WITHIN_S = 1
"""The whole seconds for which the server still sends to viewers when it ends."""


class Server(uvicorn.Server):
    """A server of what is on a shelf. It logs nothing, since its URLs have the token in them."""

    def __init__(self, shelf: Shelf, token: str) -> None:
        nowhere = logging.getLogger("uvicorn")
        nowhere.addHandler(logging.NullHandler())
        nowhere.propagate = False
        super().__init__(
            uvicorn.Config(
                site(shelf, token),
                log_config=None,
                access_log=False,
                lifespan="off",
                http="h11",
                ws="none",
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MOST_REQUESTS,
                timeout_graceful_shutdown=ENDS_WITHIN_S,
            )
        )
        self._shelf = shelf

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Send viewers the rest, as long as they take it in time, and say that there is no more."""
        self._shelf.close()
        await super().shutdown(sockets)
