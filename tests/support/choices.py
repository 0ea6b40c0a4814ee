"""Any choices that a user may make about a run: scenario, gateway, network, profile, and values of a few keys.

Each value is within the bounds of its key. Whether they go together is what the tests are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import annotated_types
from pydantic.fields import FieldInfo

from controller.settings import PROFILES, Settings
from testbed.experiment.plan import Run
from testbed.registry import load, ours
from testbed.run.choices import Choices
from testbed.run.resolve import resolve

Pick = Callable[[Sequence[Any]], Any]
"""Returns one of several values: by chance, or as Hypothesis has it."""

NUMBERS = (1, 2, 3, 5, 8, 16, 17, 40, 64, 100, 256, 1024, 4096)
SECONDS = (0.1, 0.3, 0.5, 1, 1.5, 2, 3, 5, 10, 60, 240)
MOST_OF_SMALL = 40
"""The largest value where runs are to be short."""
OWN: dict[str, tuple[Any, ...]] = {
    "external_addresses": (1, 2, 3, 4),
    "static_mappings": (["tcp 192.0.2.1:1024 10.0.0.1:80"], []),
    "untranslated_destinations": (["198.51.100.0/24"], ["192.168.7.0/24"], []),
    "client_port_range": ("32768-60999", "40000-40015", "1500-9999"),
    "time_scale": (0.1, 0.5, 1, 2),
    "outside_mtu": (576, 1200, 1500),
}
"""The values of keys whose type does not tell them."""
SIZES: dict[str, dict[str, Any]] = {
    "client-exhaustion": {"clients": 3, "client_ports": 4},
    "state-exhaustion": {"limit_sessions": 6},
    "switch-table-full": {"ports": 22, "flow_limit": 6, "strangers": 2, "beyond": 3},
    "two-nats": {"ports": 22, "home_ports": 16},
}
"""Sizes at which scenarios with more parameters than the others make sense."""
SLOW = ("tcp_syn_retries", "measured", "time_scale", "holding", "rounds", "busy")
"""The keys that would make a small run long."""


@dataclass(frozen=True)
class Chosen:
    """What a user chose."""

    scenario: str
    gateway: str
    profile: str
    topology: str | None
    values: dict[str, Any]

    @property
    def arguments(self) -> list[str]:
        """The arguments of `lastport run`."""
        network = ["--topology", self.topology] if self.topology else []
        named = [self.scenario, "--gateway", self.gateway, "--profile", self.profile, *network]
        return [*named, *(part for text in self._sets() for part in ("--set", text))]

    def resolved(self, **more: Any) -> Run:
        """Decide about the run, with the values of more keys. Raises ConfigurationError."""
        choices = Choices(topology=self.topology, profile=self.profile, sets=self._sets(**more))
        return resolve(self.scenario, self.gateway, choices, datapath="userspace")

    def _sets(self, **more: Any) -> list[str]:
        return [f"{key}={written(value)}" for key, value in {**self.values, **more}.items()]


def written(value: Any) -> str:
    """Return a value as `--set` takes it."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def chosen(pick: Pick, *, small: bool = False) -> Chosen:
    """Return any choices. With `small`, they are of a size at which a run takes some seconds."""
    scenario = pick(sorted(ours("scenario")))
    gateway = pick(["openflow", "openflow", "netfilter", "ovs-ct"])
    fields = {**Settings.model_fields, **load("scenario", scenario).Parameters.model_fields}
    values: dict[str, Any] = {}
    if small:
        sizes = {
            "ports": pick([8, 16, 22]),
            "clients": pick([2, 3, 4, 8]),
            "patience": 2,
            **SIZES.get(scenario, {}),
        }
        values = {key: value for key, value in sizes.items() if key in fields}
    for _ in range(pick([0, 1, 1, 2, 2] if small else [0, 1, 1, 2, 2, 3])):
        key = pick(sorted(fields.keys() - set(SLOW if small else ())))
        if possible := list(_values(key, fields[key], small=small)):
            values[key] = pick(possible)
    network = pick([None] * (20 if small else 5) + sorted(ours("topology")))
    if network == "campus":
        values.setdefault("clients", 8)
    profile = pick(["plain", "plain", "plain", *sorted(PROFILES)])
    return Chosen(scenario, gateway, profile, network, values)


def _values(key: str, field: FieldInfo, *, small: bool) -> Iterator[Any]:
    """Yield possible values of a key, by its type and bounds."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    types = get_args(field.annotation) or (field.annotation,)
    if key in OWN:
        yield from OWN[key]
    elif isinstance(allowed := extra.get("allowed"), list):
        yield from allowed
    elif any(isinstance(each, str) for each in types):
        yield from types
    elif bool in types:
        yield from (True, False)
    else:
        if type(None) in types and key != "attempts":
            yield None
        candidates = NUMBERS if int in types else SECONDS
        for number in candidates:
            if _is_within(number, field) and not (small and number > MOST_OF_SMALL):
                yield number


def _is_within(number: float, field: FieldInfo) -> bool:
    for bound in field.metadata:
        match bound:
            case annotated_types.Ge(ge):
                fits = number >= ge  # type: ignore[operator]
            case annotated_types.Gt(gt):
                fits = number > gt  # type: ignore[operator]
            case annotated_types.Le(le):
                fits = number <= le  # type: ignore[operator]
            case _:
                continue
        if not fits:
            return False
    return True
