"""The site: what a browser may read, and under which conditions.

Nobody can do anything here but read. The conditions come first (`Guard`): the method is GET, the host's name is
none that a stranger's page can have (DNS rebinding), and the URL begins with the token. Then there are the files
of the page, each by its own name; the recording's format, as a module of JavaScript; the
recordings; and a stream of server-sent events with the list of recordings, which tells when a run begins or ends.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from testbed.recording.format import PROTOCOLS, REASONS, RECORD, TICKS_PER_S, Kind, Outcome
from testbed.recording.words import HAPPENED, REASONS_IN_WORDS
from testbed.web.sources import LOOKS_AGAIN_S, Source

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
MOST_DIGITS = 18
KEEP_ALIVE_S = 15.0


class Shelf:
    """The recordings that are there to read. `is_closing` ends every list of them."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.is_closing = False

    def add(self, source: Source) -> None:
        """Put one more recording there."""
        self.sources[source.key] = source

    def close(self) -> None:
        """Note that no more comes: every stream ends when its viewer has what there is."""
        self.is_closing = True
        for each in self.sources.values():
            each.is_live = False

    def listed(self) -> list[dict[str, Any]]:
        """Return what the list of recordings has of each."""
        return [{"key": each.key, "title": each.title, "live": each.is_live} for each in self.sources.values()]


class Guard:
    """What every request has to meet before the site sees it. Whatever is refused has no other reason to show."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on without the token."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        token, slash, rest = scope["path"].removeprefix("/").partition("/")
        answer: Response | None = None
        if not is_safe_host(headers.get(b"host", b"").decode("latin-1")):
            answer = Response("This name is not one of this server.\n", 400)
        elif not hmac.compare_digest(token.encode(), self._token):
            answer = Response("Nothing is here without the token that lastport printed with the URL.\n", 404)
        elif scope["method"] != "GET":
            answer = Response("This page can only be read.\n", 405, {"allow": "GET"})
        elif not slash:
            answer = Response(status_code=307, headers={"location": f"/{token}/"})

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        if answer is not None:
            await answer(scope, receive, with_headers)
        else:
            await self._app({**scope, "path": f"/{rest}", "raw_path": b""}, receive, with_headers)


def is_safe_host(host: str) -> bool:
    """Whether a request's Host is an address or `localhost`: a name that a stranger's DNS gives is neither."""
    name = host.rpartition(":")[0] if host.rpartition("]")[2].startswith(":") or host.count(":") == 1 else host
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def site(shelf: Shelf, token: str) -> Guard:
    """Return the site that shows the recordings of a shelf to those who have the token."""
    files = page_files()

    def file(request: Request) -> Response:
        name = request.path_params.get("name") or "index.html"
        if name not in files:
            return Response("There is no such file.\n", 404)
        kind, content = files[name]
        return Response(content, media_type=kind)

    def recordings(_: Request) -> Response:
        return StreamingResponse(announced(shelf), media_type="text/event-stream")

    def recording(request: Request) -> Response:
        source = shelf.sources.get(request.path_params["key"])
        start = request.query_params.get("from", "0")
        if source is None or not (start.isascii() and start.isdigit() and len(start) <= MOST_DIGITS):
            return Response("There is no such recording.\n", 404)
        return StreamingResponse(source.pieces(int(start)), media_type="application/octet-stream")

    def about(request: Request) -> Response:
        source = shelf.sources.get(request.path_params["key"])
        if source is None:
            return Response("There is no such recording.\n", 404)
        told = json.dumps(source.about, separators=(",", ":"))  # in ASCII, so half a character breaks nothing
        return Response(told, media_type="application/json")

    routes = [
        Route("/", file),
        Route("/recordings", recordings),
        Route("/recordings/{key}", recording),
        Route("/recordings/{key}/about", about),
        Route("/{name:path}", file),
    ]
    return Guard(Starlette(routes=routes), token)


async def announced(shelf: Shelf) -> AsyncIterator[bytes]:
    """Yield the list of recordings as a server-sent event, at first and after a change; the last is `over`."""
    told = ""
    silent_s = 0.0
    yield b"retry: 500\n\n"
    while not shelf.is_closing:
        listed = json.dumps(shelf.listed())
        if listed != told:
            yield f"event: recordings\ndata: {listed}\n\n".encode()
            told, silent_s = listed, 0.0
        elif silent_s > KEEP_ALIVE_S:
            yield b": still there\n\n"  # else nobody would find out that the viewer has gone
            silent_s = 0.0
        await asyncio.sleep(LOOKS_AGAIN_S)
        silent_s += LOOKS_AGAIN_S
    yield f"event: over\ndata: {json.dumps(shelf.listed())}\n\n".encode()


def page_files() -> dict[str, tuple[str, bytes]]:
    """Return the type and the content of each file of the page, by its name below `page/`."""
    found: dict[str, tuple[str, bytes]] = {}
    root = resources.files("testbed.web") / "page"
    for folder in ("", "vendor/"):
        for each in (root / folder).iterdir():
            suffix = each.name[each.name.rfind(".") :]
            if each.is_file() and suffix in TYPES:
                found[f"{folder}{each.name}"] = (TYPES[suffix], each.read_bytes())
    found["format.js"] = (TYPES[".js"], format_module().encode())
    return found


def format_module() -> str:
    """Return the format of recordings as a module of JavaScript, so that no number and no word stands twice."""
    constants = {
        "TICKS_PER_S": TICKS_PER_S,
        "RECORD_BYTES": RECORD.size,
        "KINDS": {kind.name: kind for kind in Kind},
        "PROTOCOLS": PROTOCOLS,
        "OUTCOMES": [each.name.lower() for each in Outcome],
        "HAPPENED": HAPPENED,
        "REASONS": {kind: REASONS_IN_WORDS[reasons] for kind, reasons in REASONS.items()},
    }
    return "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in constants.items())
