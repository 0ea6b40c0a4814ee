"""Translated connections that begin faster than anybody reads the kernel's messages, in a namespace of their own.

    unshare --net python -m tests.support.lossy

It prints an object in JSON for each step: what the kernel has lost, the ports by the events, and its own table's.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import time

from controller.recording import RECORD, Kind, RecordingPlan
from topologies.gateways.conntrack import messages
from topologies.gateways.conntrack.events import Events, correct, drain

EXTERNAL = "192.0.2.1"
BURST = 1000
ROOM_BYTES = 4096
LINKS = """
link add away type veth peer name nowhere
link set nowhere up
address add 10.0.0.1/24 dev away
link set away up
link set lo up
route add default via 10.0.0.2
neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev away
"""
RULES = f"""
table ip nat {{
    chain leaving {{ type nat hook postrouting priority srcnat; meta l4proto udp snat to {EXTERNAL}:1024-65535; }}
}}
"""


def main() -> None:
    """Begin connections and end them, each time in a burst."""
    subprocess.run(["ip", "-batch", "-"], input=LINKS, text=True, check=True)
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
    events = Events(RecordingPlan(time.monotonic(), 1, 1, 9), [int.from_bytes(socket.inet_aton(EXTERNAL))])
    taken: set[int] = set()
    with messages.opened(ROOM_BYTES) as kernel:
        for step in (begin, end, begin):
            step()
            is_all_read = drain(kernel, events)
            told = report("before", events, taken) | {"lost": messages.lost(kernel), "is_all_read": is_all_read}
            correct(events)
            print(json.dumps(told | report("after", events, taken) | {"table": sorted(in_table())}))


def begin() -> None:
    """Send a packet from each of many ports."""
    for _ in range(BURST):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", ("198.51.100.1", 7))


def end() -> None:
    """End all connections at once."""
    subprocess.run(["conntrack", "--flush"], check=True, capture_output=True)


def report(when: str, events: Events, taken: set[int]) -> dict[str, object]:
    """Return the gauge, and the ports that are taken by the events so far."""
    line = events.line(0, time.monotonic())
    for _, kind, _, _, port, _ in RECORD.iter_unpack(base64.b64decode(line["events"])):
        if kind == Kind.ALLOCATED:
            taken.add(port)
        elif kind == Kind.FREED:
            taken.discard(port)
    return {f"gauge_{when}": line["gauges"]["udp"]["ports_allocated"], f"taken_{when}": sorted(taken)}


def in_table() -> set[int]:
    """Return the external ports that the kernel itself lists."""
    text = subprocess.run(["conntrack", "--dump"], check=True, capture_output=True, text=True).stdout
    return {int(port) for port in re.findall(rf"dst={re.escape(EXTERNAL)} sport=7 dport=(\d+)", text)}


if __name__ == "__main__":
    main()
