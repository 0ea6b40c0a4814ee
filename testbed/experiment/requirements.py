"""What a question needs of the gateway and of the settings, as data: what is not met is refused up front.

A scenario lists its requirements; `lastport list` prints them. Those that scenarios share are in
`scenarios/shared/requirements.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from controller.settings import ConfigurationError, Settings
from topologies.gateways.behaviour import Behaviour


class Of(enum.Enum):
    """Whose fault it is if a requirement is not met."""

    SETTINGS = "settings"
    """It makes no sense with any gateway."""
    GATEWAY = "gateway"
    """Another gateway may do it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a requirement looks at: a scenario by its name, and what was decided about its run so far."""

    scenario: str
    parameters: Any
    settings: Settings
    behaviour: Behaviour | None = None
    """What the gateway declares; only a requirement of the gateway may look at it."""

    @property
    def declared(self) -> Behaviour:
        """What the gateway declares."""
        assert self.behaviour is not None, "a requirement of the settings has looked at the gateway"
        return self.behaviour


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run cannot be, and the way out: `key=value is not possible with SCENARIO: WHY; take WAY_OUT`."""

    key: str
    value: Any
    why: str
    way_out: str
    kind: str = "setting"

    def sentence(self, scenario: str) -> str:
        """Return the sentence for a user."""
        value = (
            "null" if self.value is None else f"{self.value:g}" if isinstance(self.value, float) else self.value
        )
        return f"{self.kind} {self.key}={value} is not possible with {scenario}: {self.why}; take {self.way_out}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a question needs: `text` says it to a reader, `unmet` returns the refusal if it is not so."""

    text: str
    unmet: Callable[[Asked], Refusal | None]
    of: Of


def require(requirements: Iterable[Requirement], of: Of, asked: Asked) -> None:
    """Raise ConfigurationError for the first requirement of this kind that is not met."""
    for requirement in requirements:
        if requirement.of is of and (refusal := requirement.unmet(asked)):
            raise ConfigurationError(refusal.sentence(asked.scenario))
