"""The main experiment: open more connections to one service than the NAT has ports.

Set-up        clients behind the gateway; one server, one port; a pool of `ports` external ports
Action        open `attempts` connections and keep them, use each, close all, and fill the pool again
Expectation   the first `ports` connections work and go on working, the others fail as `on_exhaustion` decides, and
              no port is lost by the close. With `evict-lru` all work at first, and for each beyond the last port
              the oldest breaks. A gateway that does not declare to find every port may miss a few of the last ones
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from scenarios.shared.checks import check_carrying, check_endpoints, check_established, check_refused
from scenarios.shared.exhausting import fill_up, in_order_of, use_all
from scenarios.shared.filling import BACK_IN_TIME, IDLE_SPARE_S, QUICK_RELEASE, Filled, Filling, outlasting
from scenarios.shared.policies import each_newcomer_evicts
from scenarios.shared.pool_counters import check_counters
from scenarios.shared.requirements import (
    even_addresses,
    reserved_for_all,
    source_ports,
    translates_identifiers,
)
from testbed.api import (
    PROMISED,
    Experiment,
    PatientParameters,
    Scenario,
    Settings,
    SubscriberParameters,
    at_most,
    between,
    derived,
    room,
    settled,
)

KEPT = "RFC 6888 REQ-11D, RFC 4787 REQ-5: existing mappings are kept; or on_exhaustion=evict-lru"


class ExhaustionParameters(SubscriberParameters, PatientParameters):
    """The size of the experiment."""

    attempts: int = derived("connections to open; by default ports + 25 %", ge=1)
    protocol: Literal["tcp", "udp", "icmp"] = Field("tcp", description="tcp, udp or icmp")


class PortExhaustion(Scenario[ExhaustionParameters]):
    """Can a NAT run out of ports toward one service, and what happens then?"""

    name = "port-exhaustion"
    claim = "a NAT has about 65,000 ports to one service on one server; then it is full"
    settings = {"ports": 256, "port_set_size": 32, **QUICK_RELEASE}
    requires = (
        even_addresses(),
        source_ports(lambda asked: asked.parameters.attempts),
        translates_identifiers("no pool can run out"),
        each_newcomer_evicts(),
        reserved_for_all(),
    )
    reckons_with = (*PROMISED, *BACK_IN_TIME, "hold_down_timeout", "hold_down_max")
    cached_flows = 0
    story = """
{% set failed = first.first_failure %}
{{ parameters.clients|n }} client{{ "s" if parameters.clients > 1 }} opened {{ parameters.attempts|n }} \
{{ parameters.protocol|upper }} connections to one service, through a NAT with room for \
{{ promise.capacity|n }}, in {{ "%.1f"|format(first.seconds) }} s.
{% if failed %}
Attempt {{ failed.number|n }} of {{ parameters.attempts|n }} was the first to fail: \
{{ failed.outcome }}{% if failed.detail %} ({{ failed.detail }}){% endif %}, after \
{{ "%.3f"|format(failed.done_at - failed.sent_at) \
if failed.outcome != "timeout" else "%.1f"|format(failed.done_at - failed.sent_at) }} s.
{% elif counts.evicted %}
No attempt failed. But for each beyond the last port an older connection was thrown out.
{% else %}
No attempt failed: the NAT did not run out of ports.
{% endif %}
In the end:{% for outcome, count in counts.items() if count %} {{ count|n }} \
{{ outcome }}{{ "," if not loop.last else "." }}{% endfor %}

{{ echoed|n }} of the {{ first.established|length|n }} established ones still carried data after that.
{% if not drained.is_known %}
All were closed. This NAT does not count its free ports, so it is not known when they were free again.
{% elif drained.seconds is none %}
All were closed, but not every port came back.
{% else %}
All were closed, and {{ "%.1f"|format(drained.seconds) }} s after the last close every port was free again \
({{ "close timer" if parameters.protocol == "tcp" else "idle timer" }} \
{{ settings.tcp_trans_close_timeout if parameters.protocol == "tcp" else settings.udp_timeout }} s).
{% endif %}
A second fill established {{ second.established|length|n }} connections.
"""

    def run(self, x: Experiment[ExhaustionParameters]) -> None:
        """Fill the pool, use the connections, close them, and fill the pool again."""
        attempts, promise = x.parameters.attempts, x.promise
        kept = min(attempts, promise.capacity)
        filling = Filling(x, attempts=attempts, capacity=attempts if promise.evicts else kept)
        first = fill_up(filling, x)
        at_full = settled(x.lab.gateway, x.protocol, dropping=promise.packets_refused(first.attempts))
        check_established(first, x)
        check_refused(first, x)
        established = len(first.established)
        distinct = min(established, promise.capacity) if promise.takes_all_ports else established
        check_endpoints(filling.seen(first), distinct, x)
        echoed = use_all(filling, attempts - kept, x)
        _check_kept(first, echoed, x)
        drained = filling.drain(first)
        if drained.is_known:
            x.check(
                "seconds until the pool is whole again after all have closed",
                expected=at_most(drained.within),
                observed=None if drained.seconds is None else round(drained.seconds, 3),
                source=f"{x.behaviour.port_back}; the scenario's own timers",
            )
        beyond = 0 if promise.evicts else max(8, promise.capacity // 64)
        # Of blocks, each client has to use up its last one.
        fitting = attempts if x.settings.port_allocation_type == "blocks" else promise.capacity + beyond
        again = range(1, min(attempts, fitting) + 1)
        second = filling.fill("fill again", again, in_order=max(16, in_order_of(x.settings)))
        x.check(
            "connections of a second fill that carry data: no port was lost",
            expected=between(*promise.established(len(again))),
            observed=len(filling.echo(again)),
            source=f"RFC 6888 REQ-13: the pool is used in full; {x.behaviour.finds_every_port_of}",
        )
        counters = x.counters()
        check_counters(at_full, counters, first, second, x)
        counts = x.account(first, echoed, counters=counters)
        x.tell(promise=promise, first=first, second=second, counts=counts, echoed=len(echoed), drained=drained)

    @classmethod
    def complete(cls, parameters: ExhaustionParameters, settings: Settings) -> dict[str, Any]:
        """Fill in the number of attempts."""
        fits = room(settings, parameters.protocol, parameters.subscribers)
        return {"attempts": parameters.attempts or math.ceil(fits * 1.25)}

    @classmethod
    def lasts(cls, parameters: ExhaustionParameters, settings: Settings) -> float:
        """Return a time that is longer than the fill and the echoes."""
        return outlasting(parameters.attempts, besides=IDLE_SPARE_S + parameters.patience)


def _check_kept(first: Filled, echoed: set[int], x: Experiment[ExhaustionParameters]) -> None:
    """Check which connections still carry data after all have been made."""
    promise, in_order = x.promise, in_order_of(x.settings)
    kept = min(len(first.established), promise.capacity)
    broken = [attempt for attempt in first.established if attempt.number not in echoed]
    check_carrying(kept, echoed, x, source=KEPT)
    if not promise.evicts:
        return
    evicted = len(first.established) - kept
    oldest = range(1, evicted + in_order)  # of those that were under way at once, any may be older
    x.check(
        f"the {evicted} evicted connections are the oldest, which were idle longest",
        expected=evicted,
        observed=sum(attempt.number in oldest for attempt in broken),
        source="on_exhaustion=evict-lru",
    )
    if promise.takes_all_ports:
        taken = {attempt.seen for attempt in first.established if attempt.number in echoed}
        x.check(
            "external endpoints of evicted connections that carry the data of new ones now",
            expected=evicted,
            observed=sum(attempt.seen in taken for attempt in broken),
            source="on_exhaustion=evict-lru",
        )
