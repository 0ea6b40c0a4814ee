"""The plan of a trace: what a NAT would have refused of what hosts really did, when, and to whom."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from testbed.plan.arrivals import Arrival
from testbed.plan.carrier import MOST_ROWS, counts, row, timers
from testbed.plan.chosen import Chosen
from testbed.plan.differences import differences
from testbed.plan.traces.reading import read
from testbed.plan.traces.record import Trace
from testbed.plan.watching import Second, Watched, watch


def of_trace(chosen: Chosen, path: Path) -> dict[str, Any]:
    """Return the results for the attempts of a file. Raises ConfigurationError if it cannot be read."""
    nat = chosen.nat()
    trace = read(path, nat)
    subscribers = {record.source.address for record in trace.records}
    places = {
        destination: place
        for place, destination in enumerate(dict.fromkeys(record.destination for record in trace.records))
    }
    seen = watch(
        nat,
        chosen.drawn("nat"),
        _seconds(trace, places),
        classes=1,
        destinations=len(places),
        warm_up=0.0,
        until=float("inf"),
    )
    return {
        **chosen.as_json(
            trace=path.name, trace_file=str(path.absolute()), subscribers=len(subscribers), left_out=trace.left_out
        ),
        "workload": "trace",
        **counts(seen),
        "erlang_b": None,
        "theory": [],
        "differences": [
            "A trace is one course of events, and no formula is about it.",
            *differences(chosen.settings, bursts=False, overlap_helps=chosen.settings.port_overlapping != "off"),
        ],
        "classes": [
            {
                "name": "trace",
                "subscribers": len(subscribers),
                **row(seen.tally.offered, seen.tally.refused),
                "subscribers_hit": len(seen.tally.hit),
            }
        ],
        "destinations": list(_destinations(seen, list(places))),
        "worst": [
            {"name": str(ipaddress.IPv4Address(subscriber)), "class": "trace", "refused": refused}
            for subscriber, refused in seen.tally.hit.most_common(MOST_ROWS)
        ],
        "timers": list(timers(seen, nat, _resets(trace))),
        "log": seen.log,
        "needed": None,
    }


def _seconds(trace: Trace, places: dict[Endpoint, int]) -> Iterator[Second]:
    """Yield the arrivals of each second since the first, until the last connection is over."""
    first = trace.records[0].at
    arrivals = (
        (
            record.at - first,
            Packet(
                record.protocol,
                record.source,
                record.destination,
                TcpFlags.SYN if record.protocol is Protocol.TCP else TcpFlags.NONE,
            ),
            record.ends - first,
            record.ending,
            0,
            places[record.destination],
        )
        for record in trace.records
    )
    end = 1.0
    for second, batch in itertools.groupby(arrivals, key=lambda arrival: int(arrival[0])):
        for empty in range(int(end), second + 1):
            yield float(empty), list[Arrival]()
        end = second + 1.0
        yield end, list(batch)


def _destinations(seen: Watched, names: list[Endpoint]) -> Iterator[dict[str, Any]]:
    tally = seen.tally
    first = sorted(
        range(len(names)), key=lambda place: (tally.refused_to[place], tally.offered_to[place]), reverse=True
    )
    for place in first[:MOST_ROWS]:
        yield {"name": str(names[place]), **row(tally.offered_to[place], tally.refused_to[place])}
    others = first[MOST_ROWS:]
    if others:
        offered, refused = (sum(of[place] for place in others) for of in (tally.offered_to, tally.refused_to))
        yield {"name": f"{len(others):,} others", **row(offered, refused)}


def _resets(trace: Trace) -> float:
    tcp = [record for record in trace.records if record.protocol is Protocol.TCP]
    return sum(record.ending == 1 for record in tcp) / len(tcp) if tcp else 0.0
