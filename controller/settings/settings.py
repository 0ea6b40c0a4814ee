"""The settings of a NAT, by their names.

The keys are RFC 8512's node names in snake_case, flat. Every time is in seconds, and `time_scale` multiplies all
of them. A wrong value is refused before anything starts, with the key, the value and the way out. So are settings
that contradict each other.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from pydantic import model_validator

from controller.nat.model import Answer, Dependence, EndedBy, Endpoint, Protocol, Side
from controller.nat.own_ports import OwnPortsPlan
from controller.nat.port_set import Blocks, Ports, divided, ranges_of
from controller.nat.settings import NatSettings
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.tcp import TcpTimer
from controller.settings import ports, strategies
from controller.settings.declared import Declared, Question
from controller.settings.extensions import is_file
from controller.settings.keys import Keys
from controller.settings.profiles import EXPLAINED
from controller.settings.values import SECONDS, static_mapping

PORT_REST_S = 0.5
"""The time for which a freed port rests: a switch's cache outlives its rules by some tens of milliseconds."""

PROFILES: dict[str, dict[str, Any]] = {name: profile.settings for name, profile in EXPLAINED.items()}
"""Settings under a name, from the files in `controller/settings/profiles`."""

MAPPING = {"eim": Dependence.INDEPENDENT, "adm": Dependence.ADDRESS, "edm": Dependence.ADDRESS_AND_PORT}
FILTERING = {"eif": Dependence.INDEPENDENT, "adf": Dependence.ADDRESS, "edf": Dependence.ADDRESS_AND_PORT}
OVERLAPPING = {
    "off": Dependence.INDEPENDENT,
    "address": Dependence.ADDRESS,
    "endpoint": Dependence.ADDRESS_AND_PORT,
}
LATE_RESETS = {"off": frozenset[Side](), "inside": frozenset({Side.INSIDE}), "both": frozenset(Side)}


class Settings(Keys):
    """The settings of one NAT, which agree with each other."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Settings:
        sentences = list(self._contradictions())
        if sentences:
            raise ValueError("\n".join(sentences))
        return self

    def _contradictions(self) -> Iterator[str]:
        shared = OVERLAPPING[self.port_overlapping]
        for key, ranks in (("mapping_type", MAPPING), ("filtering_type", FILTERING)):
            value = getattr(self, key)
            if ranks[value] < shared:
                enough = " or ".join(name for name, rank in ranks.items() if rank >= shared)
                yield (
                    f"setting port_overlapping={self.port_overlapping!r} is not possible with {key}={value!r}: a "
                    "packet from outside could be meant for two inside hosts (RFC 7857 section 3); "
                    f"take {key}={enough}, or port_overlapping=off"
                )
        if self.port_overlapping_udp is not None and OVERLAPPING[self.port_overlapping_udp] >= shared:
            yield (
                f"setting port_overlapping_udp={self.port_overlapping_udp!r} is not possible with "
                f"port_overlapping={self.port_overlapping!r}: UDP would not share ports less than TCP; take "
                "port_overlapping_udp=null, or port_overlapping=endpoint"
            )
        if not self.port_set:
            yield (
                f"setting reserved_ports=[{', '.join(self.reserved_ports)}] is not possible with "
                f"ports={ports.shown(self.ports)}: no port would be left for mappings; reserve fewer"
            )
            return
        longest = max(map(len, ranges_of(self.port_set)))
        if self.port_allocation_type == "blocks" and self.port_set_size > longest:
            yield (
                f"setting port_set_size={self.port_set_size} is not possible with "
                f"ports={ports.shown(self.ports)} and port_allocation_type='blocks': there would be no whole "
                f"block; take at most {longest}, such as port_set_size={max(1, longest // 8)}"
            )
        if self.log == "blocks" and self.port_allocation_type != "blocks":
            yield (
                f"setting log='blocks' is not possible with port_allocation_type={self.port_allocation_type!r}: "
                "the ports of a block would be several subscribers'; take port_allocation_type=blocks, or "
                "log=mappings"
            )
        yield from self._own_contradictions(longest)
        yield from self._static_contradictions()
        for network in self.untranslated_destinations:
            inner = [str(address) for address in self.external_addresses if address in network]
            if inner:
                yield (
                    f"setting untranslated_destinations=[{network}] is not possible with the external address "
                    f"{inner[0]}, which is in it; take networks of outside hosts"
                )
        if self.pool_usage_low >= self.pool_usage_high:
            yield (
                f"setting pool_usage_low={self.pool_usage_low:g} is not possible with "
                f"pool_usage_high={self.pool_usage_high:g}: usage would be low and high at once; "
                "take a pool_usage_low below pool_usage_high"
            )

    def _own_contradictions(self, longest: int) -> Iterator[str]:
        size, most = self.subscriber_ports, self.subscriber_ports_max
        if size is None:
            if most is not None:
                yield (
                    f"setting subscriber_ports_max={most} is not possible with subscriber_ports=null: nothing "
                    f"could double; take a subscriber_ports, such as {max(1, most // 2)}"
                )
            return
        if size > longest:
            yield (
                f"setting subscriber_ports={size} is not possible with ports={ports.shown(self.ports)}: no "
                f"subscriber could have any; take at most {longest}"
            )
        if most is not None and most < 2 * size:
            yield (
                f"setting subscriber_ports_max={most} is not possible with subscriber_ports={size}, which could "
                f"never double; take {2 * size} or more, or subscriber_ports_max=null"
            )
        if self.port_allocation_type == "blocks":
            yield (
                f"setting subscriber_ports={size} is not possible with port_allocation_type='blocks': both give a "
                "subscriber ports of its own; take port_allocation_type=random"
            )
        if self.static_mappings:
            yield (
                f"setting subscriber_ports={size} is not possible with static_mappings: a subscriber could be "
                "given the port of another's; take static_mappings=[]"
            )

    def _static_contradictions(self) -> Iterator[str]:
        taken: set[tuple[Protocol, Endpoint]] = set()
        for text in self.static_mappings:
            protocol, external, internal = static_mapping(text)
            setting = f"setting static_mappings=[{text}] is not possible"
            if IPv4Address(external.address) not in self.external_addresses:
                addresses = ", ".join(map(str, self.external_addresses))
                yield f"{setting}: {external} is at no external address; take one of {addresses}"
            if external.port not in self.port_set:
                first, last = self.port_set[0], self.port_set[-1]
                among = f"from {first} to {last}" + " that mappings may have" * (last - first >= self.port_count)
                yield f"{setting} with ports={ports.shown(self.ports)}: take an external port {among}"
            if IPv4Address(internal.address) in self.external_addresses:
                yield f"{setting}: {internal} is at an external address; take an inside host's"
            for endpoint in (external, internal):
                if (protocol, endpoint) in taken:
                    yield f"{setting}: {endpoint} has another static mapping; take one for each endpoint"
                taken.add((protocol, endpoint))
        if self.static_mappings and self.mapping_type != "eim":
            yield (
                f"setting static_mappings is not possible with mapping_type={self.mapping_type!r}: a static "
                "mapping serves its inside endpoint toward every destination; take mapping_type=eim"
            )

    def for_nat(self) -> NatSettings:
        """Return the settings of the NAT's core, which have the same names, but for those that are looked up.

        Raises ConfigurationError for a stranger's allocator or policy that is not one.
        """
        looked_up = self._looked_up()
        own = {field.name for field in dataclasses.fields(NatSettings)} - looked_up.keys()
        return NatSettings(**looked_up, **{key: self.in_force(key) for key in own})

    def in_force(self, key: str) -> Any:
        """Return a setting as it applies: a time is multiplied by `time_scale`."""
        value = getattr(self, key)
        extra = type(self).model_fields[key].json_schema_extra
        is_time = isinstance(extra, dict) and extra.get("unit") == SECONDS
        return value * self.time_scale if is_time and value is not None else value

    def _looked_up(self) -> dict[str, Any]:
        """Return the core's settings that are classes, enums and tables, or that have another name here."""
        return {
            "external_addresses": tuple(int(address) for address in self.external_addresses),
            "ports": self.port_set,
            "mapping": MAPPING[self.mapping_type],
            "filtering": FILTERING[self.filtering_type],
            "overlapping": OVERLAPPING[self.port_overlapping],
            "overlapping_udp": OVERLAPPING.get(self.port_overlapping_udp or ""),
            "late_reset": LATE_RESETS[self.late_reset],
            "pooling": POOLINGS[self.address_allocation_type],
            "allocator": strategies.allocator(self.port_allocation_type, **self._for_allocator()),
            "on_exhaustion": strategies.policy(self.on_exhaustion),
            "fallback": Answer(self.fallback),
            "port_quotas": {each: getattr(self, f"port_quota_{each.name.lower()}") for each in Protocol},
            "tcp_timeouts": {timer: self.in_force(timer.value) for timer in TcpTimer},
            "hold_down_by_end": {by: self.in_force(by.value) for by in EndedBy if by is not EndedBy.OTHER},
            "own_ports": self._own_ports(),
            "rest": PORT_REST_S,
            "static_mappings": tuple(map(static_mapping, self.static_mappings)),
        }

    def _for_allocator(self) -> dict[str, Any]:
        """Return what an allocator has to do with."""
        timeout = self.in_force("port_set_timeout")
        return {"ports": self.port_set, "port_set_size": self.port_set_size, "port_set_timeout": timeout}

    def declared(self) -> dict[str, Declared]:
        """Return what a stranger's allocator and policy declare, by the question. Raises ConfigurationError."""
        questions = []
        if is_file(self.port_allocation_type):
            questions.append(Question(self.port_allocation_type, **self._for_allocator()))
        if is_file(self.on_exhaustion):
            questions.append(Question(self.on_exhaustion))
        return {question.key: strategies.declared(question) for question in questions}

    def _own_ports(self) -> OwnPortsPlan | None:
        if self.subscriber_ports is None:
            return None
        return OwnPortsPlan(
            size=self.subscriber_ports,
            most=self.subscriber_ports_max or self.subscriber_ports,
            threshold=self.subscriber_ports_threshold,
            delay=self.in_force("subscriber_ports_delay"),
            timeout=self.in_force("port_set_timeout"),
        )

    @functools.cached_property
    def port_set(self) -> Ports:
        """The ports of each external address that mappings may have: `ports` without `reserved_ports`."""
        return ports.usable(self.ports, self.reserved_ports)

    @property
    def port_count(self) -> int:
        """The number of ports of each external address that mappings may have."""
        return len(self.port_set)

    @property
    def blocks(self) -> Blocks:
        """The blocks of `port_set_size` ports, if the allocator gives blocks."""
        return divided(self.port_set, self.port_set_size)

    @functools.cached_property
    def capacity_of_address(self) -> int:
        """How many ports of each external address the chosen allocator gives: `port_count` or fewer.

        Raises ConfigurationError as `for_nat` does.
        """
        return self.for_nat().capacity_of_address

    @property
    def capacity(self) -> int:
        """How many ports of all external addresses the chosen allocator gives."""
        return self.capacity_of_address * len(self.external_addresses)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Settings:
        """Return a copy, of which ports and capacity are asked anew."""
        copy = super().model_copy(update=update, deep=deep)
        for asked in ("port_set", "capacity_of_address"):
            copy.__dict__.pop(asked, None)
        return copy
