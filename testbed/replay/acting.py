"""What hosts of a lab do for a replay: servers at the endpoints, and clients that act by one clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.nat.model import Endpoint, Protocol
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from testbed.experiment.lab import Lab
from testbed.plan.arrivals import Arrival, Ending
from testbed.replay.places import Map, Places
from testbed.replay.replay import FIRST_SYN_S
from testbed.traffic.drive import lived
from testbed.traffic.pending import RESEND_S
from testbed.traffic.records import Attempt, Lived, Opening, Parting

LEAD_S = 1.0
"""The seconds before the first attempt, in which the clients read what they are to do."""
PATIENCE_S = {"tcp": FIRST_SYN_S, "udp": 0.9 * RESEND_S}
"""An attempt is given up before it is sent a second time: that would be another attempt."""
PORT, SILENT_PORT = 4433, 20_000
"""The first ports of endpoints that answer, and of those that never do."""
TALKS_IN_TIMER = 4
"""How often a connection sends something in the time of its idle timer."""
PARTINGS = {Ending.FIN: Parting.CLOSE, Ending.RESET: Parting.RESET}


def placed(lab: Lab, found: Places, *, sockets: int) -> Map:
    """Start the servers, and return whose places are whose."""
    endpoints: dict[bool, list[Endpoint]] = {True: [], False: []}
    for silent, port in ((False, PORT), (True, SILENT_PORT)):
        for protocol in ("tcp", "udp") if (count := found.count(silent=silent)) else ():
            servers = lab.serve(protocol, destinations=count, capacity=sockets, port=port, is_silent=silent)
            endpoints[silent] = [Endpoint.parse(f"{address}:{number}") for address, number in servers.targets]
    sources = [
        [Endpoint.parse(f"{source}:0").address for source in lab.topology.sources(client)]
        for client in range(len(lab.clients))
    ]
    return Map(found, sources, endpoints[False], endpoints[True])


def made(
    lab: Lab,
    places: Map,
    arrivals: Sequence[Arrival],
    nat: NatSettings,
    *,
    sockets: int,
    progress: Callable[[int, int], None],
) -> list[Attempt]:
    """Make the attempts, and return what became of each."""
    talks = {
        Protocol.TCP: nat.tcp_timeouts[TcpTimer.ESTABLISHED] / TALKS_IN_TIMER,
        Protocol.UDP: nat.udp_timeout / TALKS_IN_TIMER,
    }
    plans: dict[str, list[Lived]] = {}
    for number, arrival in enumerate(arrivals, 1):
        at, packet, ends, ending, *_ = places.moved(arrival)
        client, address = places.host(arrival)
        opening = Opening(number, client, _text(packet.destination), packet.source.port, address)
        is_tcp = packet.protocol is Protocol.TCP
        parting = PARTINGS.get(ending, Parting.VANISH) if is_tcp else Parting.CLOSE
        plans.setdefault(packet.protocol.name.lower(), []).append(
            Lived(opening, LEAD_S + at, ends - at, talks[packet.protocol], parting)
        )
    return lived(
        {lab.drive(protocol, attempts=sockets): plan for protocol, plan in plans.items()},
        patience=lambda protocol: PATIENCE_S[protocol],
        progress=lambda done: progress(done, len(arrivals)),
    )


def _text(endpoint: Endpoint) -> tuple[str, int]:
    address, _, port = str(endpoint).rpartition(":")
    return address, int(port)
