"""A tiny program of somebody's own: two peers behind NATs meet by UDP hole punching (RFC 5128).

    python3 punch.py serve                      the rendezvous server, which names each peer the other's endpoint
    python3 punch.py meet alice bob SERVER      a peer; its exit status is 0 if it reached the other one

Nothing here knows of lastport. `test_punch.py` runs it behind nine pairs of NATs.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

PORT = 3333
AGAIN_S = 0.1
PATIENCE_S = 4.0
LINGER_S = 1.0


def serve() -> None:
    """Tell every peer the endpoint of the one that it wants to meet, as soon as both are known."""
    known: dict[str, tuple[str, int]] = {}
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", PORT))
    print("ready", flush=True)
    while True:
        message, source = sock.recvfrom(1500)
        name, other = json.loads(message)
        known[name] = source
        if other in known:
            sock.sendto(json.dumps(known[other]).encode(), source)


def meet(name: str, other: str, server: str) -> bool:
    """Ask the server for the other peer, then greet it until it answers. Return whether it did."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    rendezvous = (socket.gethostbyname(server), PORT)
    greeted: set[tuple[str, int]] = set()
    ends, asks = time.monotonic() + PATIENCE_S, 0.0
    is_met = False
    while (now := time.monotonic()) < ends:
        if now >= asks:
            asks = now + AGAIN_S
            if not greeted:
                sock.sendto(json.dumps([name, other]).encode(), rendezvous)
            for each in greeted:
                sock.sendto(b"hello", each)
        if not select.select([sock], [], [], AGAIN_S)[0]:
            continue
        message, source = sock.recvfrom(1500)
        if source == rendezvous:
            address, port = json.loads(message)
            greeted.add((address, port))
        elif message == b"hello":
            greeted.add(source)  # which may be a new one, if the other's NAT maps by destination
            sock.sendto(b"welcome", source)
        elif message == b"welcome" and not is_met:
            print(f"{name} reached {other} at {source[0]}:{source[1]}", flush=True)
            is_met, ends = True, now + LINGER_S  # the other one may still greet
    return is_met


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    elif not meet(*sys.argv[2:]):
        sys.exit(f"{sys.argv[2]} did not reach {sys.argv[3]} within {PATIENCE_S:g} s")
