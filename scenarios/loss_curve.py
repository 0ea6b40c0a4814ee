"""How full may a NAT be before it refuses? Linux looks at 248 ports at most, and gives up while others are free.

Set-up        clients behind the gateway; one server, one port; a pool of `ports` external ports; idle timers
              longer than the run, so that nothing is given back
Action        `attempts` datagrams in turn, few of them at once, each from a source port of its own: the seed draws
              them from `client_port_range`, without repetition
Expectation   who finds every port refuses nobody before the last one is gone; who searches as Linux does refuses
              so many before that as a simulation of its search predicts
"""

from __future__ import annotations

import dataclasses
import math
import random
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from controller.settings import FIRST_PORT, ConfigurationError, Settings
from scenarios.shared.filling import outlasting
from scenarios.shared.models import curve
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.promise import DROPPED, Promise, room
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario
from testbed.traffic.firing import Volleys
from testbed.traffic.records import Attempt, Opening
from topologies.gateways.behaviour import Behaviour

MOST_UNDER_WAY = 256


class CurveParameters(PatientParameters):
    """The size of the experiment."""

    attempts: int | None = Field(
        None, strict=True, ge=1, description="datagrams to send, each a connection; by default ports + 10 %"
    )
    client_port_range: str = Field(
        "32768-60999",
        strict=True,
        description="FIRST-LAST of the source ports, within 1-65535; by default those that Linux itself uses",
    )
    steps: int = Field(50, strict=True, ge=1, le=1000, description="steps of utilisation in the curve")

    @field_validator("client_port_range")
    @classmethod
    def _is_a_range(cls, text: str) -> str:
        found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]) <= 65535:
            raise ValueError("it should be like 32768-60999")
        return text

    @property
    def source_ports(self) -> range:
        """The range as numbers."""
        first, _, last = self.client_port_range.partition("-")
        return range(int(first), int(last) + 1)


class LossCurve(Scenario):
    """How likely is a refusal, when so much of the NAT's ports is taken?"""

    name = "loss-curve"
    claim = "what happens is implementation dependent"
    Parameters: ClassVar[type[Parameters]] = CurveParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 4096,
        # For the allocator `blocks`: so that no block is left over where all clients ask for as much.
        "port_set_size": 64,
        "hold_down_timeout": 0,
        "limit_sessions": None,  # whatever the profile says: the ports are to run short
    }

    @classmethod
    def complete(cls, parameters: CurveParameters, settings: Settings) -> tuple[CurveParameters, dict[str, Any]]:
        """Fill in the number of attempts, and idle timers that are longer than the run."""
        attempts = parameters.attempts or math.ceil(settings.ports * 1.1)
        own = len(parameters.source_ports)
        if attempts > parameters.clients * own:
            raise ConfigurationError(
                f"parameter clients={parameters.clients} is not possible with attempts={attempts}: no client "
                f"uses one of its {own:,} ports twice (client_port_range); take clients={-(-attempts // own)}"
            )
        idle = outlasting(attempts, settings, besides=10 + 2 * parameters.patience)
        return parameters.model_copy(update={"attempts": attempts}), {"udp_timeout": idle}

    @classmethod
    def check(cls, parameters: CurveParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Let nothing but the ports of one address run short; and what is refused, be refused for good."""
        if len(settings.external_addresses) > 1:
            raise ConfigurationError(
                f"setting external_addresses={len(settings.external_addresses)} is not possible with loss-curve: "
                "each address would have a curve of its own; take external_addresses=1"
            )
        fits = room(settings, "udp", parameters.clients)
        if fits < settings.ports:
            raise ConfigurationError(
                f"setting ports={settings.ports} would not be what runs short in loss-curve: only {fits:,} "
                f"mappings are allowed; take ports={fits} or fewer, or allow more"
            )
        for key in ("limit_subscribers", "new_mapping_rate_per_subscriber"):
            if (value := getattr(settings, key)) is not None:
                raise ConfigurationError(
                    f"setting {key}={value:g} is not possible with loss-curve: it would refuse whatever ports are "
                    f"free; take {key}=null"
                )
        shortage = behaviour.ports_exhausted.value
        if shortage.evicts == "lru" or shortage.holds:
            raise ConfigurationError(
                f"setting on_exhaustion={settings.on_exhaustion} is not possible with loss-curve: it asks when "
                "packets are refused, and this one does not refuse them at once; take drop, icmp or reset"
            )

    def run(self, lab: Lab, parameters: CurveParameters, settings: Settings, report: Report) -> None:
        """Fire, and draw the curve beside the predicted one."""
        sources = draw(parameters, lab.seed)
        volleys = lab.volley()
        openings = [
            Opening(number, client, volleys.target, port) for number, (client, port) in enumerate(sources, start=1)
        ]
        with report.phase("fill"):
            attempts = fire(volleys, openings, parameters, settings, report)
        counters = lab.gateway.counters("udp")
        _, leaked = lab.leaks()
        shared = lab.shared()
        counts = outcomes(attempts, shared=shared, echoed={attempt.number for attempt in attempts}, leaked=leaked)
        report.outcomes(counts)
        report.counters(counters)

        served = [
            each.outcome == "established" and each.source not in leaked and each.nonce not in shared
            for each in attempts
        ]
        observed = curve.rows(served, settings.ports, parameters.steps)
        first = curve.first_refusal(served, settings.ports)
        report.series(loss_curve=[dataclasses.asdict(row) for row in observed], first_refusal_utilisation=first)
        with report.phase("predict"):
            predicted = predict(sources, parameters, settings, lab)
        report.series(
            predicted_loss_curve=[dataclasses.asdict(row) for row in predicted.rows],
            predicted_first_refusal_utilisation=predicted.first_refusal,
        )
        _check_endpoints(attempts, served, settings, report)
        _check_own_ports(attempts, [port for _, port in sources], served, settings, lab.behaviour, report)
        _check_search(served, predicted, settings, lab.behaviour, report)
        _check_refusals(attempts, served, counters, parameters, settings, lab.behaviour, report)
        report.tell(
            "loss_curve",
            parameters=parameters,
            settings=settings,
            behaviour=lab.behaviour,
            served=served,
            first=first,
            predicted=predicted,
            telling=[row for row in observed if row.refused and row.utilisation < 1][-9::4],
        )


def draw(parameters: CurveParameters, seed: int) -> list[tuple[int, int]]:
    """Return client (from 0) and source port of each attempt, the clients in turn; no pair comes twice."""
    assert parameters.attempts is not None
    rng = random.Random(seed)
    each = math.ceil(parameters.attempts / parameters.clients)
    ports = [rng.sample(parameters.source_ports, each) for _ in range(parameters.clients)]
    clients = (number % parameters.clients for number in range(parameters.attempts))
    return [(client, ports[client][number // parameters.clients]) for number, client in enumerate(clients)]


def fire(
    volleys: Volleys,
    openings: Sequence[Opening],
    parameters: CurveParameters,
    settings: Settings,
    report: Report,
) -> list[Attempt]:
    """Make the attempts, few of them under way at once for so many ports, so that their order means something.

    Any of those may come first. So the first attempts, as many as there are ports, are over before the next
    begins: none of the others takes a port of theirs, or is refused in their place.
    """
    few = min(MOST_UNDER_WAY, max(1, settings.ports // 128))
    attempts: list[Attempt] = []
    for part in (openings[: settings.ports], openings[settings.ports :]):
        before = len(attempts)
        attempts += volleys.fire(
            part,
            patience=parameters.patience,
            window=few,
            progress=lambda done, before=before: report.progress(before + done, len(openings)),  # type: ignore[misc]
        )
    return attempts


def predict(
    sources: Sequence[tuple[int, int]], parameters: CurveParameters, settings: Settings, lab: Lab
) -> curve.Prediction:
    """Return what the search that the gateway declares leads to, with these source ports."""
    return curve.Prediction.of(
        [port for _, port in sources],
        range(FIRST_PORT, FIRST_PORT + settings.ports),
        finds_every_port_of=lab.behaviour.finds_every_port_of.value,
        keeps=lab.behaviour.keeps_source_port.value,
        steps=parameters.steps,
        seed=lab.seed,
    )


def _check_endpoints(
    attempts: Sequence[Attempt], served: Sequence[bool], settings: Settings, report: Report
) -> None:
    seen = [attempt.seen for attempt, was_served in zip(attempts, served, strict=True) if was_served]
    pool = {
        (str(address), port)
        for address in settings.external_addresses
        for port in range(FIRST_PORT, FIRST_PORT + settings.ports)
    }
    report.check(
        "each datagram that came has an external endpoint of its own, and of the pool",
        expected=len(seen),
        observed=len(pool & set(seen)),
        source="RFC 4787 REQ-3; RFC 8512 port-set-restrict",
    )


def _check_own_ports(
    attempts: Sequence[Attempt],
    sources: Sequence[int],
    served: Sequence[bool],
    settings: Settings,
    behaviour: Behaviour,
    report: Report,
) -> None:
    """Check whether hosts kept their own ports, where these were in the range and free.

    Of attempts that were under way together one may have been given what was another's own: hence nearly all.
    """
    given: set[int] = set()
    kept = []
    for attempt, own, was_served in zip(attempts, sources, served, strict=True):
        if was_served and attempt.seen is not None:
            if FIRST_PORT <= own < FIRST_PORT + settings.ports and own not in given:
                kept.append(attempt.seen[1] == own)
            given.add(attempt.seen[1])
    keeps, few = behaviour.keeps_source_port.value, len(kept) // 10
    so_many = "nearly all" if keeps else "few"
    if kept:
        report.check_between(
            f"of the {len(kept):,} whose own port was in the range and free, {so_many} kept it",
            least=len(kept) - few if keeps else 0,
            most=len(kept) if keeps else max(1, few),
            observed=sum(kept),
            source=str(behaviour.keeps_source_port),
        )


def _check_search(
    served: Sequence[bool], predicted: curve.Prediction, settings: Settings, behaviour: Behaviour, report: Report
) -> None:
    """Check when the gateway refused, against how it declares to look for a port."""
    ports, source = settings.ports, str(behaviour.finds_every_port_of)
    if behaviour.finds_every_port_of.value >= ports:
        report.check(
            "no attempt is refused before the last port is given",
            expected=0,
            observed=served[:ports].count(False),
            source=source,
        )
        report.check(
            "every port is given, and to all others nothing",
            expected=min(ports, len(served)),
            observed=served.count(True),
            source=source,
        )
        return
    report.check_between(
        f"of the first {min(ports, len(served)):,} attempts, as many as there are ports, so many are refused as "
        "the declared search leads to",
        least=predicted.low,
        most=predicted.high,
        observed=served[:ports].count(False),
        source=f"{source}; simulated in scenarios/shared/models",
    )


def _check_refusals(
    attempts: Sequence[Attempt],
    served: Sequence[bool],
    counters: dict[str, int | None],
    parameters: CurveParameters,
    settings: Settings,
    behaviour: Behaviour,
    report: Report,
) -> None:
    """Check how the refused were told, and whether the gateway knows of them."""
    promise = Promise.of(behaviour, settings, protocol="udp", clients=parameters.clients)
    refused = [attempt for attempt, was_served in zip(attempts, served, strict=True) if not was_served]
    if promise.outcome is not None:
        report.check(
            f"all the refused end by {promise.outcome}",
            expected=len(refused),
            observed=sum(attempt.outcome == promise.outcome for attempt in refused),
            source=promise.source,
        )
    dropped = [count for name in DROPPED if (count := counters.get(name)) is not None]
    if dropped:
        report.check(
            "the gateway agrees: it dropped as many packets for want of something",
            expected=len(refused),
            observed=sum(dropped),
            source="RFC 8512 dropped-port-packets and its like",
        )
    if counters["ports_allocated"] is not None:
        report.check(
            "the gateway agrees: so many ports are allocated as attempts were served",
            expected=served.count(True),
            observed=counters["ports_allocated"],
            source="RFC 8512 ports-allocated",
        )
