"""What a question needs of the gateway and of the settings, as data: a run that does not meet it is refused.

A scenario lists its requirements, and `lastport show` prints them. Requirements that scenarios share are in
`scenarios/shared/requirements.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from controller.settings import ConfigurationError, Settings
from controller.settings.ports import shown as shown_ports
from topologies.gateways.behaviour import Behaviour


class Of(enum.Enum):
    """What fails to meet a requirement: the settings, or the gateway."""

    SETTINGS = "settings"
    """The settings: the scenario makes no sense with them on any gateway."""
    GATEWAY = "gateway"
    """The gateway: another one may meet the requirement."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a requirement examines: a scenario by its name, and what is decided about its run so far."""

    scenario: str
    parameters: Any
    settings: Settings
    behaviour: Behaviour | None = None
    """What the gateway declares. Only a requirement of the gateway may examine it."""

    @property
    def declared(self) -> Behaviour:
        """What the gateway declares, for a requirement of the gateway."""
        assert self.behaviour is not None, "a requirement of the settings has looked at the gateway"
        return self.behaviour


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run is not possible, and the way out: `key=value is not possible with SCENARIO: WHY; take WAY_OUT`."""

    key: str
    value: Any
    why: str
    way_out: str
    kind: str = "setting"

    def sentence(self, scenario: str) -> str:
        """Return the refusal of a scenario's run, as a sentence for the user."""
        value = (
            "null" if self.value is None else f"{self.value:g}" if isinstance(self.value, float) else self.value
        )
        return f"{self.kind} {self.key}={value} is not possible with {scenario}: {self.why}; take {self.way_out}"


def of_ports(settings: Settings, why: str, way_out: str) -> Refusal:
    """Return the refusal for the number of ports, which a range or a PSID does not show."""
    is_number = settings.ports == settings.port_count
    count = "" if is_number else f"of these {settings.port_count:,} are usable, and "
    return Refusal("ports", shown_ports(settings.ports), f"{count}{why}", way_out)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a question needs. `text` describes it, and `unmet` returns the refusal if it is not met."""

    text: str
    unmet: Callable[[Asked], Refusal | None]
    of: Of


def require(requirements: Iterable[Requirement], of: Of, asked: Asked) -> None:
    """Raise ConfigurationError for the first requirement of this kind that is not met."""
    for requirement in requirements:
        if requirement.of is of and (refusal := requirement.unmet(asked)):
            raise ConfigurationError(refusal.sentence(asked.scenario))
