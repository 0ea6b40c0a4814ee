"""Packets that the link outside of the NAT has no room for, as large transfers and large datagrams meet it.

Set-up        clients on a LAN with 1,500 bytes of room; a link outside with `outside_mtu`; a server beyond it
Action        a datagram that must not be fragmented and is too large; one that may be; both once more when the
              client's kernel knows the path; then a transfer over TCP both ways. Last a router beyond the NAT
              claims to have less room still
Expectation   the NAT returns an ICMP error with the room of the link, from its own inside address, and takes no
              port for such a packet. What may be fragmented arrives whole, and TCP adapts (RFC 1191). The error of
              a router further on comes to its host, with the packet that it quotes translated (RFC 5508 REQ-3)
"""

from __future__ import annotations

import socket
import time

from pydantic import Field

from scenarios.shared.paths import (
    ALWAYS,
    ETHERNET,
    HEADERS,
    NEVER,
    QUIET_S,
    STREAM_BYTES,
    WITHIN_S,
    carried,
    discovered,
    learned_from_afar,
    received,
    sent,
)
from scenarios.shared.requirements import translates_packets
from testbed.api import (
    Asked,
    Demand,
    Experiment,
    Of,
    Parameters,
    Refusal,
    Requirement,
    Scenario,
    Settings,
    network_of,
)

PORT, LEAST = 4000, 576
LESS = 24
"""Bytes less of room, as a router further on claims."""
TOLD = "RFC 4787 REQ-13, RFC 1191 section 4"
FROM_AFAR = "RFC 5508 REQ-3: an ICMP error about a mapping's packet goes to its host, with that packet translated"
FRAGMENTATION_NEEDED = (3, 4)


class PathMtuParameters(Parameters):
    """The size of the experiment."""

    clients: int = Field(1, strict=True, ge=1, description="inside hosts, of which the first sends")
    outside_mtu: int = Field(
        1200, strict=True, ge=LEAST, le=ETHERNET, description="the most bytes of a packet on the link outside"
    )


def _as_large(asked: Asked) -> Refusal | None:
    mtu = asked.parameters.outside_mtu
    if mtu < ETHERNET:
        return None
    return Refusal(
        "outside_mtu", mtu, "every packet of the LAN has room there", "outside_mtu=1499 or less", kind="parameter"
    )


class PathMtu(Scenario[PathMtuParameters]):
    """What becomes of packets that the link behind a NAT has no room for?"""

    name = "path-mtu"
    claim = "small requests work, and large transfers hang"
    topology = "multi-address"  # with a router behind the link, so that a server knows nothing of it
    settings = {"ports": 64}
    requires = (
        Requirement("a link outside with less room than the LAN", _as_large, Of.SETTINGS),
        translates_packets("a relay makes packets of its own"),
    )
    story = """
The LAN has room for packets of {{ lan }} bytes, and the link outside for {{ parameters.outside_mtu }}. A \
datagram of {{ lan }} bytes that must not be fragmented \
{% if error %}came back as ICMP {{ error.type }}/{{ error.code }} from {{ error.sender }}, and from then on the \
client's kernel took the path for {{ known }} bytes. \
{% else %}vanished, and nobody was told: a black hole. \
{% endif %}
After another from a router further on it was {{ learned }}. \
One that may be fragmented {{ "arrived whole" if whole else "did not arrive whole" }}. A transfer of \
{{ stream|n }} bytes each way {{ "arrived in %.2f s"|format(seconds) if not wrong else "did not arrive" }}.

A NAT, or a firewall before it, that keeps these ICMP errors from the client makes a connection that opens, and \
hangs with the first full segment. Lower the MSS or let the errors pass; RFC 4821 is what TCP does without it.
"""

    def run(self, x: Experiment[PathMtuParameters]) -> None:
        """Send what is too large, with and without DF, and then much."""
        alice, server, mtu = x.lab.clients[0], x.lab.servers[0], x.parameters.outside_mtu
        target, gateway = x.lab.endpoint(port=PORT), str(x.lab.topology.inside_address(alice.name))
        with network_of(server.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
            outside.bind(target)
            with x.phase("a datagram that must not be fragmented"):
                error, known = discovered(alice.netns, target, mtu)
                ports = x.counters("udp").get("ports_allocated")
                came = received(outside, QUIET_S)
            with x.phase("one that may be"):
                sent(alice.netns, target, mtu - HEADERS, ALWAYS)
                fits = len(received(outside, WITHIN_S))
                data = sent(alice.netns, target, ETHERNET - HEADERS, NEVER)
                whole = received(outside, WITHIN_S) == data
            with x.phase("a transfer"):
                began = time.monotonic()
                wrong = carried(alice.netns, server.netns, x.lab.endpoint(port=PORT + 1))
                seconds = time.monotonic() - began
            with x.phase("a router further on has less room"):
                learned = learned_from_afar(alice.netns, outside, x.lab.servers[-1].netns, mtu - LESS)

        told = None if error is None else [error.type, error.code, error.sender]
        x.check("the error about it", expected=[*FRAGMENTATION_NEEDED, gateway], observed=told, source=TOLD)
        x.check("the room of the path, as the client's kernel knows it", expected=mtu, observed=known, source=TOLD)
        x.check("bytes of it that arrive all the same", expected=0, observed=len(came), source=TOLD)
        if ports is not None:
            x.check("ports that it takes", expected=0, observed=ports, source="RFC 6888 REQ-13: nothing uses them")
        x.check("bytes of one that just fits", expected=mtu - HEADERS, observed=fits, source=TOLD)
        x.check(
            "one that may be fragmented arrives whole", expected=True, observed=whole, source="RFC 4787 REQ-13A"
        )
        x.check(
            "the room of a router further on, as the client's kernel knows it",
            expected=mtu - LESS,
            observed=learned,
            source=FROM_AFAR,
        )
        x.check("bytes of a transfer that do not arrive", expected=0, observed=wrong, source="RFC 1191 section 6")
        x.account()
        x.tell(
            lan=ETHERNET,
            learned=learned,
            error=error,
            known=known,
            whole=whole,
            stream=STREAM_BYTES,
            wrong=wrong,
            seconds=seconds,
        )

    @classmethod
    def demand(cls, parameters: PathMtuParameters, settings: Settings) -> Demand:
        """Return a flow of each kind."""
        return Demand((4,), ("tcp", "udp"))
