"""The settings of a NAT, by their names.

The keys are RFC 8512's node names in snake_case, flat. Every time is in seconds, and `time_scale` multiplies
all of them. Wrong values are refused with the key, the value and the way out, before anything starts.
"""

from __future__ import annotations

import difflib
import ipaddress
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from controller.nat.allocators import ALLOCATORS
from controller.nat.exhaustion import POLICIES
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer

FIRST_PORT = 1024
"""Ports are taken from here upward: 0 to 1023 belong to the system (RFC 6056 section 3.2)."""
MOST_PORTS = 65536 - FIRST_PORT
FIRST_EXTERNAL_ADDRESS = ipaddress.IPv4Address("192.0.2.1")
MOST_EXTERNAL_ADDRESSES = 254
PORT_REST_S = 0.5
"""How long a freed port rests: a switch's cache outlives its rules by some tens of milliseconds."""

PROFILES: dict[str, dict[str, Any]] = {"plain": {}}
"""Settings under a name. `plain` is all defaults: endpoint-independent, with the timers of the RFCs."""


class ConfigurationError(Exception):
    """The user asked for something that cannot be; the message says what, why, and what to do."""


def _known(kind: dict[str, Any]) -> BeforeValidator:
    def check(name: object) -> object:
        if not isinstance(name, str) or name not in kind:
            raise ValueError(f"there is none of that name; choose from: {', '.join(kind)}")
        return name

    return BeforeValidator(check)


def _addresses(value: object) -> object:
    """A number stands for that many addresses, from 192.0.2.1 upward."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_EXTERNAL_ADDRESSES:
            raise ValueError(f"the number must be from 1 to {MOST_EXTERNAL_ADDRESSES}")
        return [FIRST_EXTERNAL_ADDRESS + offset for offset in range(value)]
    return value


def _distinct(value: list[ipaddress.IPv4Address]) -> list[ipaddress.IPv4Address]:
    if not value or len(set(value)) != len(value):
        raise ValueError("give at least one address, and none twice")
    return value


Seconds = Annotated[float, Field(strict=True, gt=0, le=10_000_000, json_schema_extra={"unit": "s"})]


class Settings(BaseModel):
    """Every setting of the NAT, with its default, its bounds and its source."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    ports: int = Field(
        MOST_PORTS,
        strict=True,
        ge=1,
        le=MOST_PORTS,
        description=f"ports of each external address and protocol, from {FIRST_PORT} upward",
        json_schema_extra={"source": "RFC 8512 port-set-restrict", "unit": "ports"},
    )
    external_addresses: Annotated[
        list[ipaddress.IPv4Address], BeforeValidator(_addresses), AfterValidator(_distinct)
    ] = Field(
        default=[FIRST_EXTERNAL_ADDRESS],
        description="how many external addresses (192.0.2.1 and up), or a list of them",
        json_schema_extra={"source": "RFC 8512 external-ip-address-pool"},
    )
    port_allocation_type: Annotated[str, _known(ALLOCATORS)] = Field(
        "random",
        description="the allocator: which free port a new mapping gets",
        json_schema_extra={"source": "RFC 8512 port-allocation-type", "allowed": list(ALLOCATORS)},
    )
    on_exhaustion: Annotated[str, _known(POLICIES)] = Field(
        "drop",
        description="what becomes of a packet for which no port is left",
        json_schema_extra={"source": "RFC 6888 REQ-11", "allowed": list(POLICIES)},
    )
    udp_timeout: Seconds = Field(
        300,
        description="idle time after which a UDP mapping ends",
        json_schema_extra={"source": "RFC 4787 REQ-5"},
    )
    icmp_timeout: Seconds = Field(
        60,
        description="idle time after which an ICMP query mapping ends",
        json_schema_extra={"source": "RFC 5508 REQ-2"},
    )
    tcp_idle_timeout: Seconds = Field(
        7440,
        description="idle time after which an established TCP connection is given up",
        json_schema_extra={"source": "RFC 5382 REQ-5"},
    )
    tcp_trans_open_timeout: Seconds = Field(
        240,
        description="time within which a TCP connection must be answered",
        json_schema_extra={"source": "RFC 5382 REQ-5, RFC 7857 section 2.1"},
    )
    tcp_trans_close_timeout: Seconds = Field(
        240,
        description="time that a TCP connection is kept after the FINs of both sides",
        json_schema_extra={"source": "RFC 5382 REQ-5, RFC 7857 section 2.1"},
    )
    tcp_rst_timeout: Seconds = Field(
        240,
        description="time that a TCP connection is kept after a RST",
        json_schema_extra={"source": "RFC 7857 section 2.2"},
    )
    hold_down_timeout: float = Field(
        120,
        strict=True,
        ge=0,
        le=10_000_000,
        description="time for which a freed port is not given again",
        json_schema_extra={"source": "RFC 6888 REQ-8", "unit": "s"},
    )
    time_scale: float = Field(
        1,
        strict=True,
        gt=0,
        le=1000,
        description="multiplies every timer",
        json_schema_extra={"source": "lastport", "unit": "1"},
    )

    def for_nat(self) -> NatSettings:
        """Return the same for the NAT's core: names looked up, times scaled."""
        return NatSettings(
            external_addresses=tuple(int(address) for address in self.external_addresses),
            ports=range(FIRST_PORT, FIRST_PORT + self.ports),
            allocator=ALLOCATORS[self.port_allocation_type],
            on_exhaustion=POLICIES[self.on_exhaustion](),
            udp_timeout=self.udp_timeout * self.time_scale,
            icmp_timeout=self.icmp_timeout * self.time_scale,
            tcp_timeouts={timer: getattr(self, timer.value) * self.time_scale for timer in TcpTimer},
            hold_down_timeout=self.hold_down_timeout * self.time_scale,
            rest=PORT_REST_S,
        )


Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], values: dict[str, Any], *, kind: str) -> Model:
    """Build `model` from `values`; raise ConfigurationError with a sentence for each wrong key.

    `kind` is what a key is called in the message, such as "setting".
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        sentences = [_sentence(model, dict(fault), kind) for fault in error.errors()]
        raise ConfigurationError("\n".join(sentences)) from None


def unknown_key(key: str, known: list[str], *, kind: str) -> str:
    """Say that there is no such key, and which one may have been meant."""
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choose from: {', '.join(sorted(known))}"
    return f"{kind} {key!r} is unknown: {hint}"


def _sentence(model: type[BaseModel], fault: dict[str, Any], kind: str) -> str:
    key = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "extra_forbidden":
        return unknown_key(key, list(model.model_fields), kind=kind)
    reason = fault["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return f"{kind} {key}={fault['input']!r} is not possible: {reason} ({model.model_fields[key].description})"
