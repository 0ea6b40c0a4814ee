"""A peer as WebRTC has it: two of these find a way to each other through their NATs by ICE (RFC 8445).

    python3 ice_peer.py serve                 the signalling server, which hands each peer's offer to the other
    python3 ice_peer.py call SERVER           the peer that controls; its exit status is 0 if both are connected
    python3 ice_peer.py answer SERVER         the other one

ICE itself is the package `aioice` (Debian's `python3-aioice`), which the WebRTC stack `aiortc` uses. A peer asks
the STUN server at SERVER for its endpoint, and has no relay (TURN). Nothing here knows of lastport.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

SIGNALLING, STUN = 4444, 3478
PATIENCE_S = 8.0


async def serve() -> None:
    """Wait for two peers, and hand each the offer of the other."""
    offers: asyncio.Queue[tuple[bytes, asyncio.StreamWriter]] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await offers.put((await reader.readline(), writer))

    async with await asyncio.start_server(take, port=SIGNALLING, family=socket.AF_INET):
        print("ready", flush=True)
        (offer, caller), (answer, answerer) = await offers.get(), await offers.get()
        caller.write(answer)
        answerer.write(offer)
        await asyncio.Event().wait()


async def meet(server: str, *, calls: bool) -> None:
    """Connect to the other peer, and have a word with it: its own connection is complete when it answers."""
    import aioice

    address = socket.gethostbyname(server)
    peer = aioice.Connection(ice_controlling=calls, stun_server=(address, STUN), use_ipv6=False)
    await peer.gather_candidates()
    reader, writer = await asyncio.open_connection(address, SIGNALLING)
    ours = [each.to_sdp() for each in peer.local_candidates]
    writer.write(json.dumps([peer.local_username, peer.local_password, ours]).encode() + b"\n")
    peer.remote_username, peer.remote_password, theirs = json.loads(await reader.readline())
    for each in theirs:
        await peer.add_remote_candidate(aioice.Candidate.from_sdp(each))
    await peer.add_remote_candidate(None)
    await peer.connect()
    if calls:
        await peer.send(b"hello")
    print("connected; the other peer wrote", (await peer.recv()).decode(), flush=True)
    if not calls:
        await peer.send(b"welcome")


async def main(role: str, *server: str) -> str | None:
    """Be a server or a peer; return why a peer has not reached the other."""
    if role == "serve":
        await serve()
    try:
        await asyncio.wait_for(meet(*server, calls=role == "call"), PATIENCE_S)
    except (TimeoutError, OSError) as error:
        return f"not connected: {str(error) or f'no way was found in {PATIENCE_S:g} s'}"
    return None


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
