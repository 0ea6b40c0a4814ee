"""Several external addresses: how many connections they make, and what one heavy subscriber gets of them.

Set-up        a NAT with `external_addresses` addresses, and `ports` ports at each; one server, one port
Action        the first client alone asks for a quarter more connections than there are ports at all addresses
              together. Then the others ask, each for a quarter more than there are ports at one. All are used
Expectation   with paired pooling, the first client gets the ports of one address, while all others are free.
              Otherwise it gets those of all. In the end every address is full: k addresses, k times the ports
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from scenarios.shared.checks import check_refused, check_refused_packets
from scenarios.shared.filling import Filling, outlasting
from scenarios.shared.pooling import addresses_of, check_all, check_alone
from scenarios.shared.requirements import (
    REFUSES_NONE,
    client_for_each_address,
    finds_every_port,
    keeps_mappings,
    several_addresses,
    source_ports_of_one,
)
from testbed.api import Demand, Experiment, PatientParameters, Scenario, Settings, settled

TOO_MANY = 1.25
"""The factor by which connections exceed the ports."""
HEAVY = 0
"""The place of the heavy subscriber among the clients."""


class PoolParameters(PatientParameters):
    """The size of the experiment."""

    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


def _wanted(settings: Settings) -> tuple[int, int]:
    """Return the number of connections that the heavy client asks for, and that each of the others does."""
    ports, addresses = settings.capacity_of_address, len(settings.external_addresses)
    return math.ceil(ports * addresses * TOO_MANY), math.ceil(ports * TOO_MANY)


class AddressPool(Scenario[PoolParameters]):
    """Do more addresses make more connections, and for whom?"""

    name = "address-pool"
    claim = "more addresses, more ports"
    settings = {"ports": 16, "external_addresses": 4, "port_set_size": 4, "hold_down_timeout": 0}
    requires = (
        several_addresses("one is compared with several"),
        client_for_each_address(),
        source_ports_of_one(lambda asked: _wanted(asked.settings)[0], "fewer ports, or fewer external_addresses"),
        keeps_mappings(REFUSES_NONE),
        finds_every_port("here every port counts"),
    )
    story = """
{% set pool, ports = settings.external_addresses|length, settings.capacity_of_address %}
A NAT has {{ pool|n }} external addresses with {{ ports|n }} port{{ "s" if ports > 1 }} each; \
{% if pooling == "unknown" %}nobody knows how it pools them{% else %}its pooling is {{ pooling }}{% endif %}.
{{ served|first }} came first, alone, and asked for {{ heavy|length|n }} connections: \
{{ heavy.established|length|n }} were established, from {{ given|n }} external address{{ "es" if given != 1 }}.
{% if given > 1 %}
So one subscriber can take the whole pool, and the others get nothing, unless a quota stops it.
{% elif pooling not in ("paired", "unknown") %}
It was refused while the other addresses were free: this NAT chooses the address by a hash of both ends, and \
toward one destination that is always the same.
{% else %}
It was refused while the other addresses were free. That is the price of one address for each subscriber, on \
which applications with several connections to one server rely (RFC 4787 REQ-2, RFC 7857 section 4).
{% endif %}
Then all the others came. In the end {{ everyone.established|length|n }} of {{ everyone|length|n }} connections \
were established, from {{ used|n }} address{{ "es" if used != 1 }}: more addresses are more ports.
{% if used < pool %}
The rest of the addresses stood idle: this NAT gives each client its address by a hash, whatever is free.
{% endif %}
{% set starved = served.items()|rejectattr("1")|map(attribute="0")|list %}
{% if starved %}
Nothing was left for {{ starved|join(", ") }}{{ ", whose addresses others had used up" if given == 1 }}.
{% endif %}
"""

    def run(self, x: Experiment[PoolParameters]) -> None:
        """Fill from one client alone, then from all the others, and use every connection."""
        alone, each = _wanted(x.settings)
        others = range(HEAVY + 1, x.parameters.clients)
        filling = Filling(x, attempts=alone + len(others) * each)
        heavy = filling.fill("one alone", alone, clients=[HEAVY], in_order=1)
        when_alone = settled(x.lab.gateway, x.protocol, dropping=x.promise.packets_refused(heavy.attempts))
        everyone = heavy + filling.fill("the others", len(others) * each, clients=others, in_order=1)
        at_full = settled(x.lab.gateway, x.protocol, dropping=x.promise.packets_refused(everyone.attempts))
        echoed = filling.echo()

        pooling, given = x.behaviour.pooling, len(addresses_of(heavy))
        check_alone(heavy, given, x)
        check_all(everyone, echoed, x)
        check_refused(everyone, x)
        moments = (("the first client", heavy, when_alone), ("all clients", everyone, at_full))
        for name, filled, counters in moments:
            established = len(filled.established)
            x.agrees(f"ports allocated after {name}", established, "ports_allocated", of=counters)
            check_refused_packets(filled, counters, x, when=f" after {name}")
        x.account(everyone, echoed, counters=at_full)
        counts = filling.by_client([attempt.number for attempt in everyone.established])
        served = {client.name: count for client, count in zip(x.lab.clients, counts, strict=True)}
        x.series(served=[{"client": name, "established": count} for name, count in served.items()])
        used = len(addresses_of(everyone))
        x.tell(pooling=pooling.value, heavy=heavy, given=given, everyone=everyone, used=used, served=served)

    @classmethod
    def demand(cls, parameters: PoolParameters, settings: Settings) -> Demand:
        """Return the heavy client's share, and those of the others."""
        alone, each = _wanted(settings)
        shares = (alone, *[each] * (parameters.clients - 1))
        lasts = outlasting(sum(shares), besides=20 + 3 * parameters.patience)
        return Demand(shares, (parameters.protocol,), lasts=lasts)

    @classmethod
    def open_sockets(cls, parameters: PoolParameters, settings: Settings) -> int:
        """Return the number of all attempts: each is a socket."""
        return cls.demand(parameters, settings).attempts
