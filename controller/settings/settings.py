"""The settings of a NAT, by their names.

The keys are RFC 8512's node names in snake_case, flat. Every time is in seconds, and `time_scale` multiplies
all of them. Wrong values are refused with the key, the value and the way out, before anything starts, and so are
settings that contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import model_validator

from controller.nat.model import Answer, Dependence, Protocol
from controller.nat.settings import NatSettings
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.tcp import TcpTimer
from controller.settings import extensions
from controller.settings.keys import Keys
from controller.settings.profiles import EXPLAINED
from controller.settings.values import FIRST_PORT

PORT_REST_S = 0.5
"""How long a freed port rests: a switch's cache outlives its rules by some tens of milliseconds."""

PROFILES: dict[str, dict[str, Any]] = {name: profile.settings for name, profile in EXPLAINED.items()}
"""Settings under a name, from the files in `controller/settings/profiles`."""

MAPPING = {"eim": Dependence.INDEPENDENT, "adm": Dependence.ADDRESS, "edm": Dependence.ADDRESS_AND_PORT}
FILTERING = {"eif": Dependence.INDEPENDENT, "adf": Dependence.ADDRESS, "edf": Dependence.ADDRESS_AND_PORT}
OVERLAPPING = {
    "off": Dependence.INDEPENDENT,
    "address": Dependence.ADDRESS,
    "endpoint": Dependence.ADDRESS_AND_PORT,
}


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
        if self.port_allocation_type == "blocks" and self.port_set_size > self.ports:
            yield (
                f"setting port_set_size={self.port_set_size} is not possible with ports={self.ports} and "
                "port_allocation_type='blocks': there would be no whole block; "
                f"take at most {self.ports}, such as port_set_size={max(1, self.ports // 8)}"
            )
        if self.pool_usage_low >= self.pool_usage_high:
            yield (
                f"setting pool_usage_low={self.pool_usage_low:g} is not possible with "
                f"pool_usage_high={self.pool_usage_high:g}: usage would be low and high at once; "
                "take a pool_usage_low below pool_usage_high"
            )

    def for_nat(self) -> NatSettings:
        """Return the same for the NAT's core: names looked up, times scaled.

        Raises ConfigurationError for a student's allocator or policy that is not one.
        """
        ports = range(FIRST_PORT, FIRST_PORT + self.ports)
        port_set_timeout = self.port_set_timeout * self.time_scale
        return NatSettings(
            external_addresses=tuple(int(address) for address in self.external_addresses),
            ports=ports,
            mapping=MAPPING[self.mapping_type],
            filtering=FILTERING[self.filtering_type],
            overlapping=OVERLAPPING[self.port_overlapping],
            pooling=POOLINGS[self.address_allocation_type],
            allocator=extensions.allocator(
                self.port_allocation_type,
                ports=ports,
                port_set_size=self.port_set_size,
                port_set_timeout=port_set_timeout,
            ),
            port_set_size=self.port_set_size,
            port_set_timeout=port_set_timeout,
            on_exhaustion=extensions.policy(self.on_exhaustion),
            fallback=Answer(self.fallback),
            hold_timeout=self.hold_timeout * self.time_scale,
            hold_queue=self.hold_queue,
            port_quota=self.port_quota,
            port_quotas={each: getattr(self, f"port_quota_{each.name.lower()}") for each in Protocol},
            limit_port_mappings=self.limit_port_mappings,
            limit_sessions=self.limit_sessions,
            limit_subscribers=self.limit_subscribers,
            new_mapping_rate_per_subscriber=self.new_mapping_rate_per_subscriber,
            pool_usage_low=self.pool_usage_low,
            pool_usage_high=self.pool_usage_high,
            udp_timeout=self.udp_timeout * self.time_scale,
            icmp_timeout=self.icmp_timeout * self.time_scale,
            tcp_timeouts={timer: getattr(self, timer.value) * self.time_scale for timer in TcpTimer},
            hold_down_timeout=self.hold_down_timeout * self.time_scale,
            hold_down_max=self.hold_down_max,
            rest=PORT_REST_S,
            refresh_inbound=self.refresh_inbound,
        )
