"""The plan of a run in which everything is decided. It is what the sandbox gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from controller.settings import Settings
from controller.settings.declared import Declared
from topologies.gateways.base import Cable
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
    kinds: dict[str, str] = {}
    """The kind of each gateway, and its own settings, if they were chosen for single ones."""
    own_options: dict[str, dict[str, Any]] = {}
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
    told_outside: dict[str, Any] = {}
    """What the program there has to know."""
    cables: dict[str, Cable] = {}
    """The interfaces of the machine that the gateway needs, by the names that they get."""
    declared: dict[str, Declared] = {}
    """What is known of a stranger's allocator and policy: the run's process must not execute them."""
    chosen: dict[str, Any] = {}
    """What the user chose otherwise than by default: topology, profile, seed, settings and parameters, by key."""

    @property
    def names(self) -> list[str]:
        """What was chosen by a name, or by a user's own file."""
        strategies = (self.settings.port_allocation_type, self.settings.on_exhaustion)
        each = [name for own in self.gateways.values() for name in (own.port_allocation_type, own.on_exhaustion)]
        every = [
            self.scenario,
            self.topology,
            self.gateway,
            *strategies,
            *self.kinds.values(),
            *each,
            *self.programs,
        ]
        return [*dict.fromkeys(every)]

    def kind_of(self, gateway: str) -> str:
        """Return the kind of one gateway."""
        return self.kinds.get(gateway, self.gateway)

    def options_of(self, gateway: str) -> dict[str, Any]:
        """Return the settings that only this gateway's kind has."""
        return self.own_options.get(gateway, self.options)

    def described(self, *, by_gateway: bool = False) -> dict[str, Any]:
        """Return parameters, settings and options together: they share one name space.

        `by_gateway`: as well as those of each gateway, with its name before the key.
        """
        each = self._by_gateway() if by_gateway else {}
        return {**self.parameters, **self.settings.model_dump(mode="json"), **self.options, **each}

    def _by_gateway(self) -> dict[str, Any]:
        return {
            f"{name}.{key}": value
            for name, settings in self.gateways.items()
            for key, value in {**settings.model_dump(mode="json"), **self.options_of(name)}.items()
        }

    def settings_by_gateway(self) -> dict[str, Any]:
        """Return settings and options. Where one of several gateways differs, its name stands before the key."""
        common = {**self.settings.model_dump(mode="json"), **self.options}
        each = self._by_gateway().items()
        return {
            **common,
            **{key: value for key, value in each if value != common.get(key.rpartition(".")[2], ...)},
        }
