"""What a box is held to: what the RFCs require of every NAT, and what its owner states about it.

Nobody can configure a box from here. So a setting is a statement about how the box is configured already. What a
scenario would set by itself has to be stated, or else its checks would blame the box for what nobody asked of it.
"""

from __future__ import annotations

from controller.settings import ConfigurationError, Settings
from topologies.gateways.app import facts as of_app
from topologies.gateways.base import Restriction, Use
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.box.options import FEW_CONNECTIONS, BoxOptions
from topologies.gateways.tracking import HARMLESS

DEFAULTS = of_app.DEFAULTS
GIVEN = "what its owner states: docs/how/box.md"
FOLLOWED = of_app.FOLLOWED
RESTRICTIONS = (
    Restriction("on_exhaustion", ("drop",), "how a box refuses is its own affair"),
    Restriction("hold_down_timeout", (0,), "no box can be given a hold-down from here"),
    Restriction("source_validation", (False,), "no box can be made to look at sources from here"),
)
LONG_ENOUGH = frozenset({"tcp_idle_timeout", "udp_timeout", "icmp_timeout", "tcp_trans_open_timeout"})
"""Timers that an experiment asks to be long enough. Nobody's connections end within the seconds of one."""
RETURN = {"udp": "udp_timeout", "icmp": "icmp_timeout"}
"""Those by which a port comes back, by protocols that have no other way to end a connection."""


def behaviour(settings: Settings) -> Behaviour:
    """Return what any NAT is held to, with the ports and timers that the owner states of this one."""
    return of_app.behaviour(settings, given=GIVEN)


def require_stated(settings: Settings, use: Use) -> None:
    """Raise ConfigurationError for a setting that the scenario wants, and that the owner has not stated."""
    usual = type(settings).model_validate(DEFAULTS)
    ending = {RETURN[each] for each in use.protocols if each in RETURN} if use.returns else set()
    wanted = {
        key: getattr(settings, key)
        for key in sorted((FOLLOWED - HARMLESS.keys() - LONG_ENOUGH | ending) - {*use.stated})
        if getattr(settings, key) != getattr(usual, key)
    }
    if wanted:
        shown = [f"{key}={_shown(value)}" for key, value in wanted.items()]
        stated = [
            f"{key}=SECONDS" if key.endswith("_timeout") else each for key, each in zip(wanted, shown, strict=True)
        ]
        raise ConfigurationError(
            f"{use.scenario} needs a NAT with {', '.join(shown)}, and nobody can configure a box from here; "
            f"configure it so, or state what it has: {' '.join(f'--set {each}' for each in stated)}"
        )


def require_spared(options: BoxOptions, use: Use) -> None:
    """Raise ConfigurationError for a run that could fill the box, unless its owner has allowed that."""
    most = min(use.fits, FEW_CONNECTIONS)
    if use.connections >= most and not options.exhaust:
        raise ConfigurationError(
            f"{use.scenario} would have {use.connections:,} connections at one time, and fill the box: its "
            f"{use.fits:,} ports, or its table of connections. While it is full, it serves nobody. If nobody else "
            "depends on it now: --set exhaust=true"
        )
    if use.per_second is not None and use.per_second > options.connection_rate:
        raise ConfigurationError(
            f"{use.scenario} would begin {use.per_second:,.0f} connections a second by the clock, and "
            f"connection_rate={options.connection_rate:g} is the most; if the box bears it: "
            f"--set connection_rate={-(-use.per_second // 1):.0f}"
        )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
