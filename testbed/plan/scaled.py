"""A plan's load as small and as quick as a machine carries it, with the same blocking as far as that is possible.

What a lab cannot do is to offer thousands of connections a second, or to wait for days. So times are divided, the
life of connections by as much as the NAT's timers. The load in erlangs stays, and with it what the formulas say.
Only a load that is too large as well is divided, together with the ports and the limits. Then the formulas say
something else, and the point on the wire is compared with them there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.settings import PORT_REST_S, ConfigurationError, Settings
from testbed.plan.chosen import Chosen

MOST_ERLANGS = 150.0
"""The connections that are there at once on the wire."""
MOST_PER_S = 100.0
"""The attempts in a second that a busy machine makes as well."""
LEAST_COUNTED = 16
"""The attempts that are counted on the wire at least: of these, a fifth more or fewer refused is a failure."""
LEAST_HOLDING_S = 2.0
"""The seconds for which a port is taken on the wire at least, so that milliseconds of the machine hardly count."""
CLOSING_S = 0.1
"""The closing timer where the plan has none: a real connection's last segments need some time."""
DIVIDED = (
    *("ports", "limit_sessions", "limit_sessions_per_destination", "limit_port_mappings"),
    *("port_quota", "port_quota_tcp", "subscriber_ports", "subscriber_ports_max"),
)
"""The settings that are divided with the load."""
MOST_HOSTS = 24


@dataclass(frozen=True, slots=True)
class Scaled:
    """A load for a lab: `erlangs` of connections that live for `life` seconds, and what is set for them."""

    erlangs: float
    life: float
    clients: int
    sources: int | None
    size: float
    """The part of the plan's load, ports and limits."""
    pace: float
    """The part of the plan's times."""
    settings: dict[str, Any]


def scaled(chosen: Chosen, erlangs: float, *, most: float = MOST_ERLANGS) -> Scaled:
    """Return a plain Poisson load for a lab. Raises ConfigurationError if there is none."""
    settings, parameters = chosen.settings, chosen.parameters
    size = min(1.0, most / erlangs)
    if size < 1 and not isinstance(settings.ports, int):
        raise ConfigurationError(
            f"parameter erlangs={erlangs:g} is not possible on the wire with ports that are no number: they "
            f"have to be divided by {1 / size:.1f}; take a number of ports"
        )
    if size < 1 and parameters.sources is not None:
        raise ConfigurationError(
            f"parameter sources={parameters.sources} is not possible on the wire with {erlangs:g} erlangs: "
            f"sources cannot be divided; take {most:g} erlangs or fewer"
        )
    kept = _kept(settings, given="tcp_trans_close_timeout" in chosen.given)
    ours = PORT_REST_S + (0.0 if kept else CLOSING_S)  # what no pace divides
    wanted = max(LEAST_HOLDING_S, erlangs * size / MOST_PER_S) - ours
    pace = min(1.0, wanted / (parameters.mean_life + kept))
    hosts = parameters.sources or (parameters.subscribers if "subscribers" in chosen.given else 8)
    changed = {
        key: max(1, round(getattr(settings, key) * size)) for key in DIVIDED if _is_divided(settings, key, size)
    }
    if "tcp_trans_close_timeout" not in chosen.given:
        changed["tcp_trans_close_timeout"] = CLOSING_S / pace
    return Scaled(
        erlangs=erlangs * size,
        life=parameters.mean_life * pace,
        clients=max(1, min(hosts, MOST_HOSTS)),
        sources=parameters.sources,
        size=size,
        pace=pace,
        settings={**changed, "time_scale": settings.time_scale * pace},
    )


def _is_divided(settings: Settings, key: str, size: float) -> bool:
    return size < 1 and getattr(settings, key) is not None


def _kept(settings: Settings, *, given: bool) -> float:
    """Return the seconds for which the plan keeps a port after its connection."""
    closing = settings.tcp_trans_close_timeout if given else 0.0
    return settings.time_scale * (closing + (settings.hold_down_fin_timeout or 0.0))
