"""What a user chooses about a box: its two cables, its addresses outside, and how hard it may be used."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from controller.settings import ConfigurationError
from topologies.gateways.promises import Options

WAY = "--set inside=eth1 --set outside=eth2"
FEW_CONNECTIONS = 1024
"""Connections at one time that no table of a home's router is full of."""


def listed(value: Any) -> Any:
    """Return one value, or several, as a list. None stays. Raises ValueError for an empty list."""
    if value in ([], ()):
        raise ValueError("it has no address; give one, or leave it out")
    return value if value is None or isinstance(value, list | tuple) else [value]


class BoxOptions(Options):
    """What can be chosen about a box only."""

    inside: str | None = Field(None, description="the interface of this machine that leads to the box's LAN")
    outside: str | None = Field(None, description="the interface of this machine that leads to the box's WAN port")
    external: Annotated[
        tuple[IPv4Address, ...] | None,
        BeforeValidator(listed),
        WithJsonSchema({"type": "string"}),
        Field(description="the box's external addresses, one or a list: stands for external_addresses"),
    ] = None
    connection_rate: float = Field(
        100.0, ge=1, le=100_000, description="new connections a second that the hosts begin at most"
    )
    exhaust: bool = Field(
        False, description="whether a box may be filled: while it is full, it serves nobody, also not its owner"
    )


def check(options: BoxOptions) -> None:
    """Raise ConfigurationError unless there are two interfaces."""
    for side, chosen in (("inside", options.inside), ("outside", options.outside)):
        if not chosen:
            raise ConfigurationError(
                f"the gateway box is a device between two interfaces of this machine, and {side} is not chosen: "
                f"{WAY}"
            )
    if options.inside == options.outside:
        raise ConfigurationError(
            f"setting outside={options.outside}: that is the interface of inside={options.inside} as well; a box "
            "has a cable for each side, so give two interfaces"
        )
