"""A full NAT throws the least recently used connection out: which one goes, and what its two ends see of that.

Set-up        a pool of `ports` ports, all in use: the older half by busy connections, the rest by idle ones. The
              first of the idle ones is watched from both of its ends
Action        open as many more connections as are idle. Then the watched client sends data, and then its server
Expectation   the idle ones go, although they are younger, and the busy ones stay. The evicted client gets no
              error. A datagram of its server reaches the host that has the port now, if the filtering passes it.
              A TCP segment reaches nobody, since it belongs to no connection
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.shared.filling import QUICK_RELEASE, Filling
from scenarios.shared.requirements import one_address
from scenarios.shared.watched import Watched
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
    in_turn,
    of_ports,
)

FEWEST = 4
"""The fewest connections: two are busy, one is idle, and one is watched."""
KEPT_BUSY_S = 3.5
"""The fewest seconds: a use counts from the packet count before it, and that of the busy ones comes after 2 s."""
REJECTED = "ECONNREFUSED"
"""What a sender gets from a host that knows nothing of its datagram (RFC 1122 section 4.1.3.1)."""
NO_ERROR = "docs/design/nat.md: a segment of no connection that is known is dropped; the RFCs leave it open"
LEAST_RECENT = "docs/exhaustion.md: the least recently used goes, one for each newcomer"


class EvictionParameters(Parameters):
    """The size of the experiment."""

    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")
    busy: float = Field(
        KEPT_BUSY_S,
        strict=True,
        ge=KEPT_BUSY_S,
        le=60,
        description="seconds for which the older half of the connections is kept busy",
    )
    patience: float = Field(
        2.0, strict=True, ge=0.5, le=130, description="seconds for which an answer is waited for"
    )


def _too_few(asked: Asked) -> Refusal | None:
    if (fits := asked.settings.capacity) >= FEWEST:
        return None
    why = f"only {fits} connections fit, and the question needs {FEWEST}, busy ones and idle ones"
    return of_ports(asked.settings, why, f"ports={FEWEST} or more")


def _apart(asked: Asked) -> Refusal | None:
    if asked.settings.port_overlapping != "endpoint":
        return None
    why = "the connection that is watched, to another port of the server, would be in nobody's way"
    return Refusal("port_overlapping", "endpoint", why, "port_overlapping=off or address")


def _keeps_all(asked: Asked) -> Refusal | None:
    if asked.declared.ports_exhausted.value.evicts == "lru":
        return None
    why = "the question is what a NAT throws out, and under these settings this one keeps every mapping"
    return Refusal("on_exhaustion", asked.settings.on_exhaustion, why, "on_exhaustion=evict-lru")


class Eviction(Scenario[EvictionParameters]):
    """Which connection is thrown out of a full NAT to make room, and how do its two ends learn of that?"""

    name = "eviction"
    claim = "the least recently used connection is thrown out and its port reused"
    settings = {"ports": 16, "on_exhaustion": "evict-lru", "port_overlapping": "off", **QUICK_RELEASE}
    requires = (
        one_address("for a newcomer a mapping goes at the newcomer's own address"),
        Requirement("connections to one server that want the same ports", _apart, Of.SETTINGS),
        Requirement(f"room for {FEWEST} connections, busy ones and idle ones", _too_few, Of.SETTINGS),
        Requirement("a NAT that throws the least recently used mapping out", _keeps_all, Of.GATEWAY),
    )
    story = """
A NAT was full, with {{ busy|n }} old connections that were kept busy, and {{ idle|n }} younger ones that were \
idle. Then {{ idle|n }} more came.
{{ gone|length }} of the idle ones lost their ports to these. The busy ones went on, though they are older: the \
last use counts.
The first of the idle ones was watched from both ends, at {{ seen[0] }}:{{ seen[1] }}.
{% if client == "nothing" %}
Its client sent once more, and nothing came back. As far as the client can know, the connection still stands.
{% elif client == "arrived" %}
Its client's next datagram arrived, from a new external endpoint: a UDP flow simply begins again, and another \
flow was evicted for it.
{% else %}
Its client sent once more, and got {{ client }}.
{% endif %}
{% if server == "nothing" %}
Its server sent once more, and nothing came back.
{% else %}
Its server sent once more. That reached the host that has the port now, which knows nothing of the connection and \
rejected it: {{ server }}.
{% endif %}
"""

    def run(self, x: Experiment[EvictionParameters]) -> None:
        """Fill the pool, keep the older half busy, open more connections, and see which of the old ones go."""
        idle, patience = x.promise.capacity // 2, x.parameters.patience
        busy = range(1, x.promise.capacity - idle + 1)
        idling = range(busy.stop, busy.stop + idle - 1)
        newcomers = range(idling.stop, idling.stop + idle)
        filling = Filling(x, attempts=newcomers.stop)

        filled = filling.fill("fill", busy, in_order=1)
        watched = Watched(x.lab, x.protocol)
        filled += filling.fill("fill", idling, in_order=1)
        filling.keep_busy(busy, x.parameters.busy)
        evicting = filling.fill("evict", newcomers, in_order=idle)
        still_busy = filling.echo(busy) | filling.echo(newcomers)
        with x.phase("watch"):
            client, server = watched.client_sends(patience), watched.server_sends(patience)
        taken = {attempt.seen for attempt in evicting.established}
        gone: list[int | str] = [attempt.number for attempt in filled.established if attempt.seen in taken]
        gone += ["watched"] if watched.seen in taken else []

        made = len(evicting.established)
        x.check(
            "new connections that are established", expected=idle, observed=made, source="on_exhaustion=evict-lru"
        )
        x.check(
            "busy connections that still carry data, though they are older",
            expected=len(busy),
            observed=len(still_busy & set(busy)),
            source=LEAST_RECENT,
        )
        x.check(
            "connections whose ports the new ones have: the idle ones, and the watched one",
            expected=[*idling, "watched"],
            observed=gone,
            source=LEAST_RECENT,
        )
        _check_ends(client, server, x)
        # No idle connection should be left.
        left = set(idling) - set(gone)
        echoed = still_busy | (filling.echo(idling) & left if left else set())
        # A datagram of the evicted client is a new flow, for which another must go.
        again = 1 if x.protocol == "udp" else 0
        x.agrees("mappings evicted", idle + again, "evicted_mappings")
        x.account(filled + evicting, echoed)
        x.tell(busy=len(busy), idle=idle, gone=gone, seen=watched.seen, client=client, server=server)

    @classmethod
    def demand(cls, parameters: EvictionParameters, settings: Settings) -> Demand:
        """Return a full pool and half as many newcomers, in turn, and one more of whom is watched."""
        shares = in_turn(settings.capacity + settings.capacity // 2, parameters.clients)
        lasts = 20 + parameters.busy + 2 * parameters.patience
        return Demand((shares[0] + 1, *shares[1:]), (parameters.protocol,), lasts=lasts, in_turn=False)


def _check_ends(client: str, server: str, x: Experiment[EvictionParameters]) -> None:
    """Check what came of the evicted client's next packet, and then of its server's."""
    is_tcp = x.protocol == "tcp"
    passes = not is_tcp and x.behaviour.filtering.value != "edf"
    x.check(
        "the evicted client's next packet: no answer and no error comes back"
        if is_tcp
        else "the evicted client's next packet is a new flow: it arrives, from another endpoint",
        key="evicted-clients-packet",
        expected="nothing" if is_tcp else "arrived",
        observed=client,
        source=NO_ERROR if is_tcp else "RFC 4787 REQ-1",
    )
    x.check(
        "the server's next packet reaches the host that has the port now, which rejects it"
        if passes
        else "the server's next packet reaches nobody: no error comes back",
        key="its-servers-packet",
        expected=REJECTED if passes else "nothing",
        observed=server,
        source=NO_ERROR if is_tcp else f"RFC 4787 REQ-8; {x.behaviour.filtering}",
    )
