"""The same ports to several destinations: does a NAT that is full toward one have room toward another?

Set-up        a NAT with one address and `ports` external ports; `destinations` services, on as many addresses
              as the servers have, then on further ports; every connection from a source port of its own
Action        open `ports` connections and `beyond` more to each service, to all of them in turn, and use each
Expectation   it depends on `port_overlapping`. With `endpoint`, each service gets `ports` connections, and every
              external port serves all services at once. With `address`, each address gets `ports`. With `off`, all
              services together get `ports`
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from scenarios.shared.checks import check_carrying, check_refused, check_refused_packets
from scenarios.shared.filling import WINDOW, Filling, outlasting
from scenarios.shared.models.overlap import at_once, reuses
from scenarios.shared.requirements import (
    REFUSES_NONE,
    keeps_mappings,
    one_address,
    searches_all_ports,
    source_ports,
)
from testbed.api import Demand, Experiment, PatientParameters, Scenario, Settings, between, settled


class OverlapParameters(PatientParameters):
    """The size of the experiment."""

    destinations: int = Field(2, strict=True, ge=2, le=256, description="services to connect to")
    beyond: int = Field(
        16, strict=True, ge=1, le=100_000, description="connections to try to each service beyond the ports"
    )
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


class PortOverlap(Scenario[OverlapParameters]):
    """Can a NAT with one address have more than 65,535 connections at once?"""

    name = "port-overlap"
    claim = '"more than 65,535 connections at once? No." / "yes: a port is reused when the destination differs"'
    settings = {
        "ports": 64,
        "mapping_type": "edm",
        "filtering_type": "edf",
        "port_overlapping": "endpoint",
        "port_set_size": 8,
        "hold_down_timeout": 0,
    }
    requires = (
        one_address("the question is about the ports of one address (the scenario address-pool has more)"),
        source_ports(lambda asked: _attempts(asked.parameters, asked.settings)),
        keeps_mappings(REFUSES_NONE),
        searches_all_ports("where ranges take turns, each destination's connections may all be in the same ones"),
    )
    cached_flows = 0
    story = """
{% set established, failed = filled.established|length, filled.first_failure %}
{{ parameters.clients|n }} client{{ "s" if parameters.clients > 1 }} opened {{ filled|length|n }} \
{{ parameters.protocol|upper }} connections to {{ parameters.destinations|n }} services, through a NAT with \
{{ settings.port_count|n }} port{{ "s" if settings.port_count > 1 }} on one address, in \
{{ "%.1f"|format(filled.seconds) }} s.
{{ established|n }} were established, and {{ echoed|n }} carried data at the same time. The servers saw them come \
from {{ users|length|n }} external endpoint{{ "s" if users|length != 1 }}.
{% if most > 1 %}
One external endpoint was in use toward {{ most|n }} destinations at once. Nothing is confused by that: \
the answers of different servers come from different endpoints, and by these the NAT tells them apart (port \
overlapping, RFC 7857 section 3). So the limit is the number of ports, for each destination.
{% else %}
No external endpoint was in use toward two destinations: here a port belongs to one inside socket \
(port_overlapping={{ overlapping }}), whatever its destinations, and the limit is the number of ports in all.
{% endif %}
{% if established > 65535 %}
{{ established|n }} is more than 65,535: one address can have more connections at once than there are \
port numbers.
{% endif %}
{% if failed %}
Attempt {{ failed.number|n }} was the first to fail: {{ failed.outcome }}\
{% if failed.detail %} ({{ failed.detail }}){% endif %}.
{% endif %}
"""

    def run(self, x: Experiment[OverlapParameters]) -> None:
        """Open more than `ports` connections to each service, use them, and see which services share a port."""
        attempts, destinations = _attempts(x.parameters, x.settings), x.parameters.destinations
        held = destinations * x.promise.capacity
        filling = Filling(x, attempts=attempts, capacity=held, destinations=destinations, own_ports=True)
        reuse = reuses(_overlapping(x), filling.targets)
        filled = filling.fill("fill", attempts, in_order=_in_order(x.settings))
        at_full = settled(x.lab.gateway, x.protocol, dropping=x.promise.packets_refused(filled.attempts))
        echoed = filling.echo()
        kept = {attempt.nonce for attempt in filled.established if attempt.number in echoed}
        users = at_once(seen for seen in filling.sightings() if seen.nonce in kept)
        established, most = len(filled.established), max(map(len, users.values()), default=0)

        x.check(
            f"connections that are established at once: {reuse} for each port",
            expected=between(x.promise.least * reuse, x.promise.capacity * reuse),
            observed=established,
            source=f"RFC 7857 section 3; {x.behaviour.overlapping}",
        )
        check_refused(filled, x)
        check_carrying(established, echoed, x, source="RFC 4787 REQ-3, RFC 5382 REQ-7")
        x.check(
            "pairs of external endpoint and destination that the servers saw at once",
            expected=established,
            observed=sum(map(len, users.values())),
            source="RFC 4787 REQ-3: the pair tells the connections apart",
        )
        x.check(
            "destinations that one external endpoint is in use toward at once",
            expected=reuse,
            observed=most,
            source=str(x.behaviour.overlapping),
        )
        x.agrees("sessions in its table", established, "total_sessions", of=at_full)
        check_refused_packets(filled, at_full, x)
        x.account(filled, echoed, counters=at_full)
        x.tell(overlapping=_overlapping(x), filled=filled, echoed=len(echoed), users=users, most=most)

    @classmethod
    def demand(cls, parameters: OverlapParameters, settings: Settings) -> Demand:
        """Return the attempts to all services, each of which may have all ports."""
        return replace(super().demand(parameters, settings), fits=settings.capacity * parameters.destinations)

    @classmethod
    def lasts(cls, parameters: OverlapParameters, settings: Settings) -> float:
        """Return a time that is longer than the fill, with refused datagrams last, and the echoes."""
        return outlasting(_attempts(parameters, settings), besides=20 + 2 * parameters.patience)

    @classmethod
    def open_sockets(cls, parameters: OverlapParameters, settings: Settings) -> int:
        """Return the number of all attempts, since each is a socket."""
        return _attempts(parameters, settings)


def _overlapping(x: Experiment[OverlapParameters]) -> str:
    """Return when mappings of the protocol share a port: UDP may be an exception."""
    of_udp = x.settings.port_overlapping_udp if x.protocol == "udp" else None
    return of_udp or x.behaviour.overlapping.value


def _attempts(parameters: OverlapParameters, settings: Settings) -> int:
    return parameters.destinations * (settings.capacity_of_address + parameters.beyond)


def _in_order(settings: Settings) -> int:
    """Return the number of attempts under way at once while all are answered: one for each 64 ports."""
    return min(WINDOW, max(1, settings.port_count // 64))
