"""The main experiment: open more connections to one service than the NAT has ports.

Set-up        clients behind the gateway; one server, one port; a pool of `ports` external ports
Action        open `attempts` connections and keep them; then use each; close all; and fill the pool again
Expectation   the first `ports` work and go on working, the others fail as `on_exhaustion` says; and nothing is
              lost by the close. With `evict-lru` all work at first, and for each beyond the last port the oldest
              breaks. A gateway that declares to search not every port may miss a few of the last ones
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.settings import FIRST_PORT, ConfigurationError, Settings
from scenarios.shared.filling import WINDOW, Filled, Filling, outlasting
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.promise import DROPPED, Promise, check_refused, dropped, packets_refused, room, settled
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario, SubscriberParameters
from topologies.gateways.behaviour import Behaviour

MOST_PER_CLIENT = 64_512
"""What one client can open to one server and port: its own ports from 1024 upward."""
EVICTIONS = 64
"""Attempts under way at once, each of which waits until the port that it is to get has rested."""
CACHED_PACKETS = 4
"""Packets of a connection that may meet what the switch's cache remembers of its port's last owner."""
RELEASE_SLACK_S = 5.0
"""What the check of the release grants a busy machine, beyond the timers."""


class ExhaustionParameters(SubscriberParameters, PatientParameters):
    """The size of the experiment."""

    attempts: int | None = Field(
        None, strict=True, ge=1, description="connections to open; by default ports + 25 %"
    )
    protocol: Literal["tcp", "udp", "icmp"] = Field("tcp", description="tcp, udp or icmp")


class PortExhaustion(Scenario):
    """Can a NAT run out of ports toward one service, and what happens then?"""

    name = "port-exhaustion"
    claim = "a NAT has about 65,000 ports to one service on one server; then it is full"
    Parameters: ClassVar[type[Parameters]] = ExhaustionParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 256,
        # No experiment waits for the RFCs' times; what is measured is that the ports come back.
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "hold_down_timeout": 0,
        # For the allocator `blocks`: one for each of eight clients.
        "port_set_size": 32,
    }

    cached_flows = 0

    @classmethod
    def complete(
        cls, parameters: ExhaustionParameters, settings: Settings
    ) -> tuple[ExhaustionParameters, dict[str, Any]]:
        """Fill in the number of attempts, and idle timers that are longer than the fill and the echoes."""
        addresses = len(settings.external_addresses)
        if parameters.subscribers % addresses:
            raise ConfigurationError(
                f"parameter clients={parameters.clients} is not possible with external_addresses={addresses}: "
                "each client keeps to one address, so take a multiple of their number"
            )
        capacity = room(settings, parameters.protocol, parameters.subscribers)
        attempts = parameters.attempts or math.ceil(capacity * 1.25)
        if attempts > parameters.subscribers * MOST_PER_CLIENT:
            raise ConfigurationError(
                f"parameter attempts={attempts} is not possible with clients={parameters.clients}: each has "
                f"{MOST_PER_CLIENT:,} ports of its own; take more clients"
            )
        idle = outlasting(attempts, settings, besides=6 + parameters.patience)
        return parameters.model_copy(update={"attempts": attempts}), {
            "udp_timeout": idle,
            "icmp_timeout": idle,
        }

    @classmethod
    def check(cls, parameters: ExhaustionParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse to exhaust what a gateway does not give out."""
        if parameters.protocol == "icmp" and behaviour.icmp_identifiers.value == "kept":
            raise ConfigurationError(
                "parameter protocol=icmp is not possible with this gateway: ICMP queries keep the identifiers "
                f"that their hosts chose ({behaviour.icmp_identifiers}), so no pool can run out; "
                "take protocol=tcp or udp, or another --gateway"
            )

    @classmethod
    def open_sockets(cls, parameters: ExhaustionParameters, settings: Settings) -> int:
        """Every attempt is a socket."""
        assert parameters.attempts is not None
        return parameters.attempts

    def run(self, lab: Lab, parameters: ExhaustionParameters, settings: Settings, report: Report) -> None:
        """Fill, use, drain, fill again."""
        assert parameters.attempts is not None
        attempts = parameters.attempts
        promise = Promise.of(lab.behaviour, settings, protocol=parameters.protocol, clients=parameters.subscribers)
        kept = min(attempts, promise.capacity)
        held = attempts if promise.evicts else kept
        filling = Filling(lab, report, protocol=parameters.protocol, attempts=attempts, held=held)

        first = _fill(filling, parameters, settings, promise)
        refused = packets_refused(first.attempts, promise)
        at_full = settled(lab.gateway, parameters.protocol, dropping=refused)
        _check_first_fill(first, promise, settings, filling, report)

        echoed = _use(filling, attempts - kept, parameters, promise)
        _check_kept(first, echoed, promise, _in_order(settings), report)

        _, latest = lab.behaviour.port_back.value["close" if parameters.protocol == "tcp" else "udp"]
        # A gateway may count a port for longer than it keeps it from others.
        within = max(latest, settings.tcp_trans_close_timeout * settings.time_scale) + RELEASE_SLACK_S
        back_after = filling.drain(
            first,
            capacity=settings.ports * len(settings.external_addresses),
            within=within,
        )
        report.check_at_most(
            "after all have closed, the pool is whole again within the timers (seconds)",
            limit=within,
            observed=None if back_after is None else round(back_after, 3),
            source=f"{lab.behaviour.port_back}; the scenario's own timers",
        )

        beyond = 0 if promise.evicts else max(8, promise.capacity // 64)
        again = range(1, min(attempts, promise.capacity + beyond) + 1)
        in_order = max(16, _in_order(settings))
        second = filling.fill("fill again", again, patience=parameters.patience, in_order=in_order)
        least, most = promise.established(len(again))
        report.check_between(
            "a second fill reaches the same number, and each carries data: no port was lost",
            least=least,
            most=most,
            observed=len(filling.echo(again)),
            source=f"RFC 6888 REQ-13: the pool is used in full; {lab.behaviour.finds_every_port_of}",
        )

        counts = _count(first, echoed, lab, report)
        counters = lab.gateway.counters(parameters.protocol)
        _check_counters(at_full, first, second, counters, promise, report)
        report.tell(
            "port_exhaustion",
            parameters=parameters,
            settings=settings,
            promise=promise,
            first=first,
            second=second,
            counts=counts,
            echoed=len(echoed),
            back_after=back_after,
        )


def _in_order(settings: Settings) -> int:
    """How many attempts are under way at once while order matters: one for each 256 ports."""
    return min(WINDOW, max(1, settings.ports // 256))


def _fill(filling: Filling, parameters: ExhaustionParameters, settings: Settings, promise: Promise) -> Filled:
    """Open all attempts, in order while all are answered: who is to be served, or evicted, before all others."""
    assert parameters.attempts is not None
    everyone, patience = range(1, parameters.attempts + 1), parameters.patience
    in_order = _in_order(settings)
    if not promise.evicts:
        ahead = promise.capacity if promise.least == promise.capacity else 0
        return filling.fill("fill", everyone, patience=patience, in_order=in_order, ahead=ahead)
    # Those that others have to go for are answered as well, but each only when its port has rested.
    fitting, beyond = everyone[: promise.capacity], everyone[promise.capacity :]
    filled = filling.fill("fill", fitting, patience=patience, in_order=in_order, ahead=len(beyond))
    return filled + filling.fill("evict", beyond, patience=patience, in_order=EVICTIONS)


def _use(filling: Filling, refused: int, parameters: ExhaustionParameters, promise: Promise) -> set[int]:
    """Exchange data on the connections; return the numbers of those that still carry it."""
    assert parameters.attempts is not None
    everyone = range(1, parameters.attempts + 1)
    if not promise.evicts:
        return filling.echo(everyone)
    echoed = filling.echo(everyone[refused:])
    if parameters.protocol == "tcp" or not promise.takes_all_ports:
        echoed |= filling.echo(everyone[:refused], patience=parameters.patience)
    # Else a datagram of an evicted one would be a new flow, and evict the next; who has its port now tells it.
    return echoed


def _check_first_fill(
    first: Filled, promise: Promise, settings: Settings, filling: Filling, report: Report
) -> None:
    attempts = len(first.attempts)
    least, most = (attempts, attempts) if promise.evicts else promise.established(attempts)
    established = len(first.established)
    seen = {sighting.nonce: (sighting.address, sighting.port) for sighting in filling.sightings()}
    external = {seen[attempt.nonce] for attempt in first.established if attempt.nonce in seen}
    pool = {str(address) for address in settings.external_addresses}
    ports = range(FIRST_PORT, FIRST_PORT + settings.ports)
    report.check_between(
        f"exactly {most} attempts are established" if least == most else f"nearly {most} attempts are established",
        least=least,
        most=most,
        observed=established,
        source="RFC 4787 REQ-3, RFC 5382 REQ-7: no port is shared toward one destination",
    )
    check_refused(first.attempts, promise, report)
    report.check(
        "the server saw as many distinct external endpoints",
        expected=min(established, promise.capacity) if promise.takes_all_ports else established,
        observed=len(external),
        source="RFC 4787 REQ-3",
    )
    report.check(
        "all of them belong to the pool",
        expected=0,
        observed=sum(address not in pool or port not in ports for address, port in external),
        source="RFC 8512 port-set-restrict",
    )


def _check_kept(first: Filled, echoed: set[int], promise: Promise, in_order: int, report: Report) -> None:
    """Check which connections still carry data when all have been made, of which `in_order` were made at once."""
    kept = min(len(first.established), promise.capacity)
    broken = {attempt.number for attempt in first.established} - echoed
    report.check(
        "every established connection still carries data, from the same external endpoint"
        if not promise.evicts
        else "as many connections as there are ports still carry data, from the same external endpoint",
        expected=kept,
        observed=len(echoed),
        source="RFC 6888 REQ-11D, RFC 4787 REQ-5: existing mappings are kept; or on_exhaustion=evict-lru",
    )
    if promise.evicts:
        evicted = len(first.established) - kept
        oldest = set(range(1, evicted + in_order))  # of those that were under way at once, any may be older
        report.check(
            f"the {evicted} evicted are the oldest, which were idle longest",
            expected=evicted,
            observed=len(broken & oldest),
            source="on_exhaustion=evict-lru",
        )
    if promise.evicts and promise.takes_all_ports:
        taken = {attempt.seen for attempt in first.established if attempt.number in echoed}
        report.check(
            "their external endpoints carry the newcomers' data now",
            expected=evicted,
            observed=sum(attempt.seen in taken for attempt in first.established if attempt.number in broken),
            source="on_exhaustion=evict-lru",
        )


def _count(first: Filled, echoed: set[int], lab: Lab, report: Report) -> dict[str, int]:
    """Return the attempts of the first fill by outcome."""
    _, leaked = lab.leaks()
    counts = outcomes(first.attempts, shared=lab.shared(), echoed=echoed, leaked=leaked)
    report.outcomes(counts)
    return counts


def _check_counters(
    at_full: dict[str, int | None],
    first: Filled,
    second: Filled,
    counters: dict[str, int | None],
    promise: Promise,
    report: Report,
) -> None:
    """Ask the second witness: the gateway's counters must agree with what the hosts saw."""
    report.counters(counters)
    established = len(first.established) + len(second.established)
    refused = len(first.attempts) - len(first.established)
    evicted = max(0, len(first.established) - promise.capacity)
    report.check(
        "the gateway agrees: ports allocated when full",
        expected=len(first.established) - evicted,
        observed=at_full["ports_allocated"],
        source="RFC 8512 ports-allocated",
    )
    made = counters["port_mapping_creations"]
    if made is not None and counters["evicted_mappings"] == 0:
        report.check(
            "the gateway agrees: mappings made in both fills",
            expected=established,
            observed=made - (counters["dropped_flow_table_packets"] or 0),
            source="RFC 7659 natv2ProtocolPortMapCreations",
        )
    if at_full["evicted_mappings"] is not None:
        report.check(
            "the gateway agrees: so many mappings were evicted when all were made",
            expected=evicted,
            observed=at_full["evicted_mappings"],
            source="RFC 6888 REQ-11D; on_exhaustion",
        )
    is_known = any(at_full.get(name) is not None for name in DROPPED)
    # Where the last ports need not be found, a packet may be refused and its repetition not.
    dropped_none = dropped(at_full) == 0 or promise.least < promise.capacity
    if is_known:
        report.check(
            "the gateway agrees: it dropped every packet of the refused attempts, for want of something",
            expected=True,
            observed=dropped(at_full) >= packets_refused(first.attempts, promise) if refused else dropped_none,
            source="RFC 8512 dropped-port-packets and its like",
        )
    if promise.holds:
        report.check(
            "the gateway agrees: it held a packet of every refused attempt first",
            expected=True,
            observed=(at_full["held_packets"] or 0) >= refused,
            source="on_exhaustion=hold",
        )
    if counters["packet_ins_known_mappings"] is not None:
        report.check_at_most(
            "few packets of known mappings needed the controller: the rules are there",
            # Where a port changes hands at once, the switch's cache knows the old owner for some packets more.
            limit=16 + established // 50 + CACHED_PACKETS * (counters["evicted_mappings"] or 0),
            observed=counters["packet_ins_known_mappings"],
            source="lastport",
        )
