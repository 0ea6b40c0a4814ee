"""The types of settings' values: names, external addresses, and numbers with their units.

`seconds`, `limit` and `described` make a pydantic field with what `lastport list settings` shows of it. Every
setting has a description and a source.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from controller.nat.model import Endpoint, Protocol, StaticMapping
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.settings.biting import Bites
from controller.settings.extensions import absolute, is_file
from controller.settings.ports import MOST_PORT, as_ranges, as_written

FIRST_EXTERNAL_ADDRESS = ipaddress.IPv4Address("192.0.2.1")
MOST_EXTERNAL_ADDRESSES = 254
MOST_STATIC_MAPPINGS = 1024
MOST_DESTINATIONS = 16

SECONDS = "s"
"""The unit of a time, which `time_scale` multiplies."""
LONGEST_S = 10_000_000
MOST_OF_ANYTHING = 1_000_000_000
MOST_PER_SECOND = 1_000_000
MOST_HELD_PACKETS = 1_000_000
ICMP_CODES = (13, 1)
"""The codes of ICMP destination unreachable: RFC 5508 REQ-8 asks for 13, RFC 6888 REQ-11B for 1."""

_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def described(
    default: object,
    description: str,
    *,
    source: str,
    unit: str | None = None,
    allowed: list[str] | list[int] | str | None = None,
    bites: Bites | None = None,
    **bounds: Any,
) -> Any:
    """Return a field with what a list of settings shows of it. `bounds` are pydantic's.

    `bites` is for a limit or a timer: what it may stop in the middle of an experiment.
    """
    extra: dict[str, Any] = {"source": source}
    extra |= {"bites": bites} if bites else {}
    extra |= {"unit": unit} if unit else {}
    extra |= {"allowed": allowed} if allowed else {}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


def seconds(default: float, description: str, *, source: str, bites: Bites | None = None) -> Any:
    """Return a field for a time in seconds, which `time_scale` multiplies."""
    return described(
        default, description, source=source, unit=SECONDS, bites=bites, strict=True, gt=0, le=LONGEST_S
    )


def limit(description: str, *, source: str, unit: str, bites: Bites | None = None, least: int = 1) -> Any:
    """Return a field for a number that may be reached and not exceeded. By default there is no limit."""
    description = f"{description}; null: no limit"
    return described(
        None, description, source=source, unit=unit, bites=bites, strict=True, ge=least, le=MOST_OF_ANYTHING
    )


def held_down(after: str) -> Any:
    """Return a field for a hold-down by the way in which a mapping ended."""
    return described(
        None,
        f"time for which a port is not given again, where ports overlap toward the same destination, after "
        f"{after}; null: hold_down_timeout",
        source="RFC 6888 REQ-8; documented of cloud NATs",
        unit=SECONDS,
        strict=True,
        ge=0,
        le=LONGEST_S,
        bites=Bites.RETURN,
    )


def _named(registry: dict[str, Any], *, or_file: bool) -> BeforeValidator:
    """Return a validator that accepts a name of ours, or the path of a file, which it makes absolute."""
    way_out = f"choose from: {', '.join(registry)}" + (", or give FILE.py:Class" if or_file else "")

    def check(name: object) -> object:
        if isinstance(name, str):
            if name in registry:
                return name
            if or_file and is_file(name):
                return absolute(name)
        raise ValueError(f"there is no such name; {way_out}")

    return BeforeValidator(check)


def _counted(value: object) -> object:
    """Return this number of addresses, from 192.0.2.1 upward, or any other value as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_EXTERNAL_ADDRESSES:
            raise ValueError(f"the number must be from 1 to {MOST_EXTERNAL_ADDRESSES}")
        return [FIRST_EXTERNAL_ADDRESS + offset for offset in range(value)]
    return value


def _distinct(value: list[ipaddress.IPv4Address]) -> list[ipaddress.IPv4Address]:
    if not value or len(set(value)) != len(value):
        raise ValueError("give at least one address, and none twice")
    return value


def _of_a_host(address: ipaddress.IPv4Address) -> ipaddress.IPv4Address:
    """Return an address, unless it cannot be the source of a packet between networks (RFC 6890)."""
    kinds = {
        "multicast": address.is_multicast,
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "reserved": address.is_reserved,
        "unspecified": address in _THIS_NETWORK,
    }
    for kind, is_one in kinds.items():
        if is_one:
            raise ValueError(
                f"{address} is {kind}, and not the address of a host; choose others, such as 192.0.2.1 and up"
            )
    return address


def _listed(value: object) -> object:
    """Return a list of the one value that was given, or any other value as it is."""
    return [value] if isinstance(value, str) else value


def static_mapping(text: str) -> StaticMapping:
    """Read `tcp 192.0.2.1:8080 10.0.0.1:80`. Raises ValueError for anything else."""
    words = text.split()
    if len(words) != 3 or words[0] not in ("tcp", "udp"):
        raise ValueError(f"{text!r} is none; write tcp or udp, the external endpoint, and the internal one")
    ends = []
    for word in words[1:]:
        address, _, port = word.partition(":")
        if not port.isdecimal() or not 1 <= int(port) <= MOST_PORT:
            raise ValueError(f"{word!r} is no endpoint; write an address and a port from 1 to {MOST_PORT}")
        ends.append(Endpoint(int(_of_a_host(ipaddress.IPv4Address(address))), int(port)))
    return StaticMapping(Protocol[words[0].upper()], *ends)


def _written_static(text: str) -> str:
    protocol, external, internal = static_mapping(text)
    return f"{protocol.name.lower()} {external} {internal}"


def _destination(written: object) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(str(written))
    except ValueError as error:
        raise ValueError(f"{error}; write a network, such as 198.51.100.0/24") from None
    if (
        network.prefixlen == 0
        or network.is_multicast
        or network.is_loopback
        or network.is_reserved
        or network.is_link_local
    ):
        raise ValueError(f"{network} is no network of hosts outside; choose one, such as 198.51.100.0/24")
    return network


def _icmp_code(value: int) -> int:
    if value not in ICMP_CODES:
        raise ValueError(f"choose from: {', '.join(map(str, ICMP_CODES))}")
    return value


def _word(value: object) -> object:
    """Return the word `off`, which YAML reads as false, or any other value as it is."""
    return "off" if value is False else value


Addresses = Annotated[
    list[Annotated[ipaddress.IPv4Address, AfterValidator(_of_a_host)]],
    BeforeValidator(_counted),
    AfterValidator(_distinct),
]
PoolPorts = Annotated[int | list[str] | dict[str, int], BeforeValidator(as_written)]
PortRanges = Annotated[list[str], BeforeValidator(as_ranges)]
AllocatorName = Annotated[str, _named(ALLOCATORS, or_file=True)]
PolicyName = Annotated[str, _named(POLICIES, or_file=True)]
PoolingName = Annotated[str, _named(POOLINGS, or_file=False)]
Off = BeforeValidator(_word)
StaticMappings = Annotated[
    list[Annotated[str, AfterValidator(_written_static)]],
    BeforeValidator(_listed),
    Field(max_length=MOST_STATIC_MAPPINGS),
]
Destinations = Annotated[
    list[Annotated[ipaddress.IPv4Network, BeforeValidator(_destination)]],
    BeforeValidator(_listed),
    Field(max_length=MOST_DESTINATIONS),
]
IcmpCode = Annotated[int, AfterValidator(_icmp_code)]
