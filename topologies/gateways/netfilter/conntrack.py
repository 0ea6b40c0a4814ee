"""Reading Linux's connection tracking: what the programs `conntrack` and `nft` print, as counters of RFC 8512."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from topologies.gateways.by_hand import Row

_REPLY = r"^{} .* dst=(\S+) (?:sport=\d+ dport=|type=\d+ code=\d+ id=)(\d+)"
"""One connection is one line. Its last tuple is the answers', whose destination is the external endpoint."""
_LINE = re.compile(
    r"(tcp|udp|icmp)\s+\d+ (\d+) (?:([A-Z_0-9]+) )?src=(\S+) dst=(\S+) "
    r"(?:sport=|type=8 code=0 id=)(\d+)(?: dport=(\d+))? .*?"
    r"src=\S+ dst=(\S+) (?:sport=\d+ dport=|type=0 code=0 id=)(\d+)"
)


def in_short(statistics: str) -> dict[str, int]:
    """Return the kernel's own sums over all processors, from `/proc/net/stat/nf_conntrack`, and `entries`."""
    names, *processors = (line.split() for line in statistics.splitlines())
    rows = [dict(zip(names, (int(number, 16) for number in row), strict=True)) for row in processors]
    sums = {name: sum(row[name] for row in rows) for name in names}
    return sums | {"entries": rows[0]["entries"]}  # each row has the whole number


def external_endpoints(listing: str, protocol: str) -> set[tuple[str, str]]:
    """Return the external endpoints that connections of a protocol have, from `conntrack -L`."""
    return set(re.findall(_REPLY.format(protocol), listing, re.MULTILINE))


def rows(listing: str) -> Iterator[Row]:
    """Yield each connection of `conntrack -L`, as a person reads it."""
    for line in listing.splitlines():
        found = _LINE.match(line)
        if found is not None:
            protocol, left, state, source, target, ours, remote, external, own = found.groups()
            yield Row(
                protocol,
                f"{source}:{ours}",
                f"{external}:{own}",
                f"{target}:{remote}" if protocol != "icmp" else target,
                state or ("unanswered" if "[UNREPLIED]" in line else ""),
                f"ends in {left} s",
            )


def key(row: Row) -> str:
    """Return the options by which `conntrack` finds a connection."""
    source, _, port = row.inside.rpartition(":")
    if row.protocol == "icmp":
        return f"-p icmp -s {source} -d {row.remote} --icmp-id {port}"
    target, _, remote = row.remote.rpartition(":")
    return f"-p {row.protocol} -s {source} -d {target} --sport {port} --dport {remote}"


def statistics(listing: str) -> dict[str, int]:
    """Return the sums over all processors, from `conntrack -S`."""
    sums: dict[str, int] = {}
    for name, value in re.findall(r"(\w+)=(\d+)", listing):
        if name != "cpu":
            sums[name] = sums.get(name, 0) + int(value)
    return sums


def named_counters(listing: str) -> dict[str, int]:
    """Return the packets of each named counter, from `nft -j list counters`."""
    entries: list[dict[str, Any]] = json.loads(listing)["nftables"]
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in entries if "counter" in entry}
