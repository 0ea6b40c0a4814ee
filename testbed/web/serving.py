"""The HTTP server: uvicorn on a socket that is open already, with limits on what viewers can take."""

from __future__ import annotations

import uvicorn

from testbed.web.site import Guard

MOST_REQUESTS = 64
ENDS_WITHIN_S = 1
"""The whole seconds for which the server still sends to viewers when it ends."""


def server(app: Guard) -> uvicorn.Server:
    """Return a server for the site. It logs nothing: its URLs have the token in them."""
    config = uvicorn.Config(
        app,
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
    return uvicorn.Server(config)
