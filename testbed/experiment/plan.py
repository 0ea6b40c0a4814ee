"""A run in which everything is decided: what is handed to the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from controller.settings import Settings


def addresses_per_client(parameters: Mapping[str, Any]) -> int:
    """Read it from the parameters of any scenario: one address, where nothing else can be chosen."""
    addresses: int = parameters.get("addresses_per_client", 1)
    return addresses


class Run(BaseModel):
    """A run, ready to be carried out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: str
    topology: str
    gateway: str
    profile: str
    parameters: dict[str, Any]
    settings: Settings
    options: dict[str, Any]
    """Of the gateway only."""
    gateways: dict[str, Settings]
    """Of each gateway in the topology, by its name."""
    seed: int
    datapath: str

    def described(self) -> dict[str, Any]:
        """Return parameters, settings and options in their one name space."""
        return {**self.parameters, **self.settings.model_dump(mode="json"), **self.options}
