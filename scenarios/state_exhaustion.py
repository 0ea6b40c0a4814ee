"""The table of sessions is full while ports are left: what ran out, and what becomes of the next connection.

Set-up        a NAT whose table holds fewer sessions (`limit_sessions`) than it has ports. On netfilter, `--set
              limit_sessions=null` takes Linux's own table of connections, in a namespace of its own and with the
              size that this machine gives it (`nf_conntrack_max`, which is read and never changed)
Action        open more connections than the table holds, keep them, and use each. Linux's own table is filled with
              datagrams that have no answer, between connections before and connections after
Expectation   new connections are refused as declared, ports are left over, and the counters show which of the two
              ran out. Linux makes room instead, by removing entries that are not assured, and no others. Over TCP
              the handshake assures an entry
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from scenarios.shared.checks import check_carrying, check_refused
from scenarios.shared.filling import QUICK_RELEASE, WINDOW, Filling, outlasting
from scenarios.shared.full_table import check_dropped_for, runs_short_first
from scenarios.shared.linux_table import Flood, fillable
from scenarios.shared.requirements import REFUSES_NONE, even_addresses, keeps_mappings
from testbed.api import (
    MOST_PORTS,
    Experiment,
    PatientParameters,
    Scenario,
    Settings,
    at_least,
    between,
    derived,
    room,
    settled,
)

UNLIMITED_ATTEMPTS = 64
LONGER_THAN_ANY_FLOOD_S = 3600
"""The lifetime of the datagrams' entries: all must be in the table at one time, however large it is."""


class StateParameters(PatientParameters):
    """The size of the experiment."""

    attempts: int = derived(
        "connections to open; by default what the table holds + 25 %; "
        f"{UNLIMITED_ATTEMPTS} with limit_sessions=null, which on netfilter fills Linux's own table",
        ge=1,
    )
    protocol: Literal["tcp", "udp", "icmp"] = Field("tcp", description="tcp, udp or icmp")


class StateExhaustion(Scenario[StateParameters]):
    """Which runs out first, the ports or the table of sessions, and how can one tell?"""

    name = "state-exhaustion"
    claim = "the connection-state table fills long before the ports do"
    settings = {"ports": 256, "limit_sessions": 64, "port_set_size": 32, **QUICK_RELEASE}
    requires = (
        even_addresses(),
        runs_short_first("limit_sessions", or_null=True),
        keeps_mappings(REFUSES_NONE),
        fillable(),
    )
    reckons_with = ("limit_sessions",)
    story = """
{% if settings.limit_sessions is none %}
This machine's kernel holds {{ flood.size|n }} connections in its table. {{ before|n }} \
{{ parameters.protocol|upper }} connections were made. Then {{ flood.flows|n }} datagrams came, each of a flow of \
its own, and without an answer. Then {{ (parameters.attempts - before)|n }} more connections were made.
Nothing was refused. To make room Linux threw out \
{{ counters.evicted_mappings|n if counters.evicted_mappings|default(0) else "other" }} entries (early_drop), of \
those that no traffic in both directions had assured of their place.
{{ echoed|n }} of {{ parameters.attempts|n }} connections carried data after that: a TCP connection that is \
established stays. A client that still waits for its first answer may lose its entry, and gets no error. (Only \
when every entry is assured does Linux drop new connections, and write "table full" to its log.)
{% else %}
A NAT has {{ ports|n }} ports, and a table for {{ settings.limit_sessions|n }} sessions. \
{{ parameters.clients|n }} client{{ "s" if parameters.clients > 1 }} opened {{ parameters.attempts|n }} \
{{ parameters.protocol|upper }} connections.
In the end:{% for outcome, count in counts.items() if count %} {{ count|n }} \
{{ outcome }}{{ "," if not loop.last else "." }}{% endfor %}

{% if counters.ports_free is number %}
The table was full, and {{ counters.ports_free|n }} ports were still free: it was not ports that ran out.
{% endif %}
{% if counters.get("dropped_state_limit_packets") %}
The gateway's own counters agree: {{ counters.dropped_state_limit_packets|n }} packets were dropped for want of a \
session (dropped_state_limit_packets), and {{ counters.dropped_port_packets|default(0, true)|n }} for want of a \
port. The client alone cannot tell the two apart.
{% endif %}
{% endif %}
"""

    def run(self, x: Experiment[StateParameters]) -> None:
        """Fill the table, and see what is left of the ports."""
        filling = Filling(x, attempts=x.parameters.attempts)
        if x.settings.limit_sessions is None:
            _fill_the_kernels(filling, x)
        else:
            _fill(filling, x)

    @classmethod
    def complete(cls, parameters: StateParameters, settings: Settings) -> dict[str, Any]:
        """Fill in the number of attempts, and enough ports for Linux's own table."""
        if settings.limit_sessions is None:
            return {"attempts": parameters.attempts or UNLIMITED_ATTEMPTS, "ports": MOST_PORTS}
        fits = room(settings, parameters.protocol, parameters.clients)
        return {"attempts": parameters.attempts or math.ceil(fits * 1.25)}

    @classmethod
    def lasts(cls, parameters: StateParameters, settings: Settings) -> float:
        """Return a time that is longer than the run."""
        fill = outlasting(parameters.attempts, besides=8 + 2 * parameters.patience)
        return LONGER_THAN_ANY_FLOOD_S if settings.limit_sessions is None else fill


def _fill(filling: Filling, x: Experiment[StateParameters]) -> None:
    """Open more connections than the limit allows, and check whether sessions or ports ran out."""
    attempts = x.parameters.attempts
    kept = min(attempts, x.promise.capacity)
    filled = filling.fill("fill", attempts, in_order=WINDOW)
    refused = x.promise.packets_refused(filled.attempts)
    at_full = settled(x.lab.gateway, x.protocol, dropping=refused)
    echoed = filling.echo()

    x.check(
        "attempts that are established: as many as the table holds",
        expected=kept,
        observed=len(filled.established),
        source="RFC 8158 maxSessionEntries; limit_sessions",
    )
    check_refused(filled, x, refused=attempts - kept)
    check_carrying(kept, echoed, x)
    x.agrees("sessions in its table", kept, "total_sessions", of=at_full)
    x.agrees("ports that are left when the table is full", at_least(1), "ports_free", of=at_full)
    if refused:
        check_dropped_for("a session", "dropped_state_limit_packets", refused, at_full, x)
    counts = x.account(filled, echoed, counters=at_full)
    x.tell(counters=at_full, counts=counts, ports=x.settings.capacity)


def _fill_the_kernels(filling: Filling, x: Experiment[StateParameters]) -> None:
    """Fill Linux's own table beyond its end, and check which entries are removed for that."""
    attempts, declared = x.parameters.attempts, str(x.behaviour.state_exhausted)
    before = attempts // 2
    filled = filling.fill("fill", before, in_order=WINDOW)
    flood = Flood(x)
    flood.send()
    filled += filling.fill("fill", attempts - before, in_order=WINDOW)
    echoed = filling.echo()
    counters = x.counters()

    x.check(
        "attempts that are established, before and after the table was full",
        expected=attempts,
        observed=len(filled.established),
        source=declared,
    )
    check_carrying(attempts, echoed, x, source=declared)
    x.agrees(
        "entries in the table, which was filled", between(flood.filled, flood.size), "total_sessions", of=counters
    )
    x.agrees("entries that were not assured, and went", at_least(1), "evicted_mappings", of=counters)
    x.account(filled, echoed, counters=counters)
    x.tell(flood=flood, before=before, counters=counters, echoed=len(echoed))
