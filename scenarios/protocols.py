"""TCP, UDP and ping, each through the same NAT: does one take another's ports?

Set-up        a NAT with `ports` external ports; one server for each protocol, at one address
Action        open `ports` TCP connections and `beyond` more, then as many UDP flows, then as many pings, each with
              an identifier of its own, and use all of them
Expectation   each protocol has `ports` of its own, however full the others are, and only attempts beyond them are
              refused. The ports of TCP and UDP and the identifiers of ICMP are different things with the same
              numbers. A UDP flow keeps its number toward another server, where the mapping is independent of that
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scenarios.shared.checks import check_carrying, check_established, check_refused
from scenarios.shared.elsewhere import check_mapping, kept_elsewhere, maps_independently
from scenarios.shared.filling import Filled, Filling, outlasting
from scenarios.shared.requirements import (
    REFUSES_NONE,
    keeps_mappings,
    one_address,
    source_ports_of_one,
    translates_packets,
)
from testbed.api import (
    DROPPED,
    Attempt,
    Counters,
    Demand,
    Experiment,
    PatientParameters,
    Promise,
    Scenario,
    Settings,
    at_least,
    between,
    dropped,
    in_turn,
    settled,
)

PROTOCOLS = ("tcp", "udp", "icmp")
OWN_NUMBERS = "RFC 4787 REQ-3, RFC 5382 REQ-7, RFC 5508 REQ-1: each protocol has numbers of its own"


class ProtocolsParameters(PatientParameters):
    """The size of the experiment."""

    beyond: int = Field(8, strict=True, ge=1, le=10_000, description="attempts of each protocol beyond the ports")


class Protocols(Scenario[ProtocolsParameters]):
    """When TCP has used up all ports, can UDP and ping still get through?"""

    name = "protocols"
    claim = "TCP, UDP and ICMP run out separately"
    settings = {"ports": 32, "port_set_size": 4, "hold_down_timeout": 0}
    requires = (
        one_address("the question is about the ports of one address (the scenario address-pool has more)"),
        source_ports_of_one(
            lambda asked: asked.settings.capacity + asked.parameters.beyond, "fewer ports, or less beyond"
        ),
        keeps_mappings(REFUSES_NONE),
        translates_packets("to the answers of pings the servers add what they saw, which a relay need not pass"),
    )
    story = """
A NAT with {{ settings.capacity|n }} port{{ "s" if settings.capacity > 1 }} was asked for {{ attempts|n }} \
connections over TCP, then for {{ attempts|n }} flows over UDP, then for {{ attempts|n }} pings.
{% for protocol, each in filled.items() %}
{% set failed = each.first_failure %}
{{ protocol|upper }}: {{ each.established|length|n }} established\
{% if failed %}; number {{ failed.number|n }} was the first to fail: {{ failed.outcome }}\
{% if failed.detail %} ({{ failed.detail }}){% endif %}{% endif %}. \
{{ echoed[protocol]|length|n }} of them carried data when all were made.
{% endfor %}
TCP port 1024 and UDP port 1024 are two different things. A packet's header names its protocol, so the NAT can \
tell them apart, and gives each protocol all of its numbers.
{% if identifiers == "unknown" %}
A ping has no port. It has an identifier, for which a NAT may have numbers of its own.
{% elif identifiers == "kept" %}
A ping has no port. It has an identifier, and this NAT leaves it as it is. So pings need none of the ports, but \
two hosts with the same identifier would be in each other's way.
{% else %}
A ping has no port, but an identifier that serves as one: the NAT translates it, and runs out of identifiers in \
the same way.
{% endif %}
"""

    def run(self, x: Experiment[ProtocolsParameters]) -> None:
        """Fill one protocol after another, then use all that was established."""
        attempts = x.settings.capacity + x.parameters.beyond
        fillings = {each: Filling(x, protocol=each, attempts=attempts, own_ports=True) for each in PROTOCOLS}
        translated = PROTOCOLS if x.behaviour.icmp_identifiers.value == "pool" else PROTOCOLS[:-1]
        filled: dict[str, Filled] = {}
        counters: list[Counters] = [{}] * len(PROTOCOLS)
        early: list[Attempt] = []
        kept = 0
        for place, (protocol, filling) in enumerate(fillings.items()):
            promise, before = x.promise_for(protocol), dropped(counters[place])
            first = Filled([], 0.0)
            if protocol == "udp" and maps_independently(x):
                first = filling.fill("the first udp", 1, in_order=1)
                early = first.established
                kept = kept_elsewhere(early, x)
            left, ahead = attempts - len(first), x.settings.capacity - len(first)
            filled[protocol] = first + filling.fill(protocol, left, in_order=1, ahead=ahead)
            dropping = before + promise.packets_refused(filled[protocol].attempts)
            settled(x.lab.gateway, protocol, dropping=dropping)
            counters = [x.counters(each) for each in PROTOCOLS]

            _check_filled(protocol, filled[protocol], promise, x, translated=protocol in translated)
            # The gateway has counted for this protocol, and not yet for those to come.
            allocated = [len(filled[each].established) if each in filled else 0 for each in PROTOCOLS]
            after = f"after {protocol.upper()}"
            x.agrees(f"ports of each protocol allocated {after}", allocated, "ports_allocated", of=counters)
            x.agrees(f"packets dropped {after}", at_least(dropping), *DROPPED, of=counters[place])

        echoed = {protocol: filling.echo() for protocol, filling in fillings.items()}
        for protocol in PROTOCOLS:
            check_carrying(len(filled[protocol].established), echoed[protocol], x, of=f"{protocol.upper()}: ")
            x.account(filled[protocol], echoed[protocol], counters=counters[0])
        others = [each for each in filled["udp"].established if each.number in echoed["udp"] and each not in early]
        check_mapping(early, kept, others, x)
        numbers = [{attempt.seen[1] for attempt in filled[each].established} for each in translated]
        x.check(
            f"numbers that {', '.join(translated).upper()} have in use at once",
            key="numbers-in-common",
            # Each protocol uses nearly all of the range, so all of them together use most of it.
            expected=at_least(max(1, min(map(len, numbers)) // 2)),
            observed=len(set.intersection(*numbers)),
            source="RFC 4787 REQ-3: a port is one of a protocol",
        )
        rows = [
            {
                "protocol": protocol,
                "attempts": attempts,
                "established": len(each.established),
                "first_to_fail": each.first_failure.number if each.first_failure else None,
            }
            for protocol, each in filled.items()
        ]
        x.series(protocols=rows)
        x.tell(filled=filled, echoed=echoed, attempts=attempts, identifiers=x.behaviour.icmp_identifiers.value)

    @classmethod
    def demand(cls, parameters: ProtocolsParameters, settings: Settings) -> Demand:
        """Return the attempts of each protocol, which clients make in turn."""
        attempts = settings.capacity + parameters.beyond
        lasts = outlasting(len(PROTOCOLS) * attempts, besides=30 + 3 * parameters.patience)
        return Demand(in_turn(attempts, parameters.clients), PROTOCOLS, lasts=lasts)

    @classmethod
    def open_sockets(cls, parameters: ProtocolsParameters, settings: Settings) -> int:
        """Return the number of all attempts, since each is a socket."""
        return len(PROTOCOLS) * (settings.capacity + parameters.beyond)


def _check_filled(
    protocol: str, filled: Filled, promise: Promise, x: Experiment[Any], *, translated: bool
) -> None:
    """Check that a protocol had all ports to itself and how the rest was refused, or that it needs no ports."""
    of = f"{protocol.upper()}: "
    if translated:
        check_established(filled, x, promise=promise, of=of, source=OWN_NUMBERS)
        check_refused(filled, x, promise=promise, of=of)
        return
    is_kept = x.behaviour.icmp_identifiers.value == "kept"
    x.check(
        f"{of}all {len(filled)} attempts are established: identifiers are not taken from the ports"
        if is_kept
        else f"{of}at least {promise.least} attempts are established, wherever the identifiers come from",
        key=f"{protocol}-established",
        expected=len(filled) if is_kept else between(promise.least, len(filled)),
        observed=len(filled.established),
        source=str(x.behaviour.icmp_identifiers),
    )
