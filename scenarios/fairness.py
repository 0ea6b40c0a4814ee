"""One host that wants everything, and the others: whether a quota for each subscriber keeps something for them.

Set-up        a pool of `ports` ports; one server; the first client is greedy, the others are modest
Action        the greedy one opens as many connections as there are ports; then each of the others opens `modest`
Expectation   without a quota the greedy one gets all, and the others nothing. With --set port_quota=N it gets N,
              and the others all that they ask for, as long as N is enough for them
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.filling import ECHO_PATIENCE_S, EVERY_NUMBER, WINDOW
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario
from testbed.traffic.records import Attempt, Opening
from topologies.gateways.behaviour import Behaviour

GREEDY = 0
"""Which client is the greedy one."""


class FairnessParameters(PatientParameters):
    """The size of the experiment."""

    clients: int = Field(8, strict=True, ge=2, description="inside hosts, the first of which is greedy")
    modest: int = Field(4, strict=True, ge=1, le=1000, description="connections that each of the others asks for")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


class Fairness(Scenario):
    """Can one greedy host use up the ports of all others, and does a quota help?"""

    name = "fairness"
    claim = "one host can take every port; a quota for each keeps some for the others"
    Parameters: ClassVar[type[Parameters]] = FairnessParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 64,
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "hold_down_timeout": 0,
        "port_set_size": 8,
    }

    @classmethod
    def complete(
        cls, parameters: FairnessParameters, settings: Settings
    ) -> tuple[FairnessParameters, dict[str, Any]]:
        """Let no mapping end by itself meanwhile."""
        return parameters, {"udp_timeout": (20 + 4 * parameters.patience) / settings.time_scale}

    @classmethod
    def check(cls, parameters: FairnessParameters, settings: Settings, behaviour: Behaviour) -> None:
        """Refuse what does not let the greedy one ask for all: several pools, blocks, and makers of room."""
        if len(settings.external_addresses) > 1:
            raise ConfigurationError(
                f"external_addresses={len(settings.external_addresses)} is not possible with fairness: a client "
                "keeps to one address, so the greedy one could not take them all; take external_addresses=1"
            )
        shortage = behaviour.ports_exhausted.value
        if shortage.evicts == "lru" or shortage.outcome is None:
            raise ConfigurationError(
                f"on_exhaustion={settings.on_exhaustion} lets the latest in, whoever he is, and fairness is about "
                "who is refused; take on_exhaustion=drop, icmp, reset or hold"
            )
        most = behaviour.finds_every_port_of.value
        if settings.ports > most:
            raise ConfigurationError(
                f"ports={settings.ports} is too many for this gateway: beyond {most} it refuses early, "
                f"and fairness counts exactly; take ports={most} or fewer"
            )

    def run(self, lab: Lab, parameters: FairnessParameters, settings: Settings, report: Report) -> None:
        """Let the greedy one ask first, and then the others."""
        asked = [settings.ports, *[parameters.modest] * (parameters.clients - 1)]
        expected = allotted(asked, settings.ports, _quota(settings, parameters.protocol))
        servers = lab.serve(parameters.protocol, held=settings.ports)
        clients = lab.drive(parameters.protocol, attempts=sum(asked))
        attempts: list[Attempt] = []
        for phase, openings in _phases(asked, servers.targets[0]):
            with report.phase(phase):
                attempts += clients.open(
                    openings,
                    patience=parameters.patience,
                    first_window=1,
                    window=WINDOW,
                    progress=lambda done: None,
                )
        with report.phase("echo"):
            echoed = clients.echo(
                EVERY_NUMBER, patience=ECHO_PATIENCE_S, window=WINDOW, progress=lambda done: None
            )
        owner = _owners(asked)
        counted = Counter(owner[number] for number in echoed)
        served = [counted[client] for client in range(parameters.clients)]
        shares = [got / wanted for got, wanted in zip(served, asked, strict=True)]
        index, expected_index = jain(shares), jain([e / a for e, a in zip(expected, asked, strict=True)])
        _check(served, expected, index, expected_index, lab.behaviour, report)

        counters = lab.gateway.counters(parameters.protocol)
        report.counters(counters)
        _check_counters(expected, asked, settings, counters, report, protocol=parameters.protocol)
        _, leaked = lab.leaks()
        report.outcomes(outcomes(attempts, shared=lab.shared(), echoed=echoed, leaked=leaked))
        rows = [
            {"client": host.name, "asked": wanted, "served": got, "share": round(share, 4)}
            for host, wanted, got, share in zip(lab.clients, asked, served, shares, strict=True)
        ]
        report.series(fairness=rows, jain_index=round(index, 4))
        report.tell(
            "fairness",
            rows=rows,
            index=index,
            quota=_quota(settings, parameters.protocol),
            settings=settings,
            parameters=parameters,
        )


def allotted(asked: Sequence[int], ports: int, quota: int | None) -> list[int]:
    """Return how many ports each gets: the first asks for all of its own, then the others in turn."""
    wanted = [number if quota is None else min(number, quota) for number in asked]
    got = [min(wanted[GREEDY], ports), *[0] * (len(asked) - 1)]
    for turn in range(max(wanted[1:], default=0)):
        for client in range(1, len(asked)):
            if turn < wanted[client] and sum(got) < ports:
                got[client] += 1
    return got


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index of fairness: 1 if all have the same, 1/n if one of n has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _quota(settings: Settings, protocol: str) -> int | None:
    quotas = [settings.port_quota, getattr(settings, f"port_quota_{protocol}")]
    return min((quota for quota in quotas if quota is not None), default=None)


def _owners(asked: Sequence[int]) -> dict[int, int]:
    """Return the client of each attempt, by its number: the greedy one's first, then the others' in turn."""
    others = [c for turn in range(max(asked[1:])) for c in range(1, len(asked)) if turn < asked[c]]
    return dict(enumerate([GREEDY] * asked[GREEDY] + others, start=1))


def _phases(asked: Sequence[int], target: tuple[str, int]) -> list[tuple[str, list[Opening]]]:
    openings = [Opening(number, client, target) for number, client in _owners(asked).items()]
    return [("greedy", openings[: asked[GREEDY]]), ("modest", openings[asked[GREEDY] :])]


def _check(
    served: list[int],
    expected: list[int],
    index: float,
    expected_index: float,
    behaviour: Behaviour,
    report: Report,
) -> None:
    source = f"RFC 6888 REQ-4: the quota of a subscriber; {behaviour.ports_exhausted}"
    report.check(
        "the greedy host keeps so many connections", expected=expected[0], observed=served[0], source=source
    )
    report.check("the modest hosts keep so many, each", expected=expected[1:], observed=served[1:], source=source)
    report.check(
        "Jain's index over served / asked",
        expected=round(expected_index, 3),
        observed=round(index, 3),
        source="Jain, Chiu, Hawe 1984: 1 if all have the same share, 1/n if one of n has everything",
    )


def _check_counters(
    expected: list[int],
    asked: list[int],
    settings: Settings,
    counters: dict[str, int | None],
    report: Report,
    *,
    protocol: str,
) -> None:
    quota = _quota(settings, protocol)
    bites = quota is not None and quota < max(asked)
    if counters["dropped_port_limit_packets"] is not None:
        report.check(
            "the gateway agrees: packets were dropped at the quota"
            if bites
            else "the gateway agrees: at no quota",
            expected=bites,
            observed=counters["dropped_port_limit_packets"] > 0,
            source="RFC 8512 dropped-port-limit-packets",
        )
    if counters["ports_allocated"] is not None:
        report.check(
            "the gateway agrees: ports allocated",
            expected=sum(expected),
            observed=counters["ports_allocated"],
            source="RFC 8512 ports-allocated",
        )
