"""The plan of a run in which everything is decided. It is what the sandbox gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from controller.settings import Settings
from topologies.picture import Picture


def network_of_size(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a topology, by the parameters of any scenario."""
    return {
        "clients": parameters["clients"],
        "outside_mtu": parameters["outside_mtu"],
        "addresses_per_client": parameters.get("addresses_per_client", 1),
    }


class Run(BaseModel):
    """A run, ready to be carried out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: str
    question: str = ""
    """The scenario's question, and the claim that it puts to the test, in words."""
    claim: str = ""
    topology: str
    network: Picture | None = None
    """What a picture of the network shows."""
    gateway: str
    profile: str
    parameters: dict[str, Any]
    settings: Settings
    options: dict[str, Any]
    """The settings that only this kind of gateway has."""
    gateways: dict[str, Settings]
    """The settings of each gateway in the topology, by its name."""
    seed: int
    datapath: str
    sockets: int = 0
    """The most sockets at once on each side."""
    needs: tuple[str, ...] = ()
    """What only this kind of gateway needs of the machine, by the names that `lastport doctor` gives it."""
    programs: tuple[str, ...] = ()
    """The paths of the files that a stranger's own program needs, if the gateway is one."""
    reaches: str = ""
    """What the gateway is connected to outside of the sandbox, as `tcp:HOST:PORT`."""
    chosen: dict[str, Any] = {}
    """What the user chose otherwise than by default: topology, profile, seed, settings and parameters, by key."""

    @property
    def names(self) -> list[str]:
        """What was chosen by a name, or by a user's own file."""
        strategies = (self.settings.port_allocation_type, self.settings.on_exhaustion)
        return [self.scenario, self.topology, self.gateway, *strategies, *self.programs]

    def described(self) -> dict[str, Any]:
        """Return parameters, settings and options together: they share one name space."""
        return {**self.parameters, **self.settings.model_dump(mode="json"), **self.options}

    def settings_by_gateway(self) -> dict[str, Any]:
        """Return settings and options. Where one of several gateways differs, its name stands before the key."""
        common = self.settings.model_dump(mode="json")
        differing = {
            f"{name}.{key}": value
            for name, settings in self.gateways.items()
            for key, value in settings.model_dump(mode="json").items()
            if value != common[key]
        }
        return {**common, **self.options, **differing}
