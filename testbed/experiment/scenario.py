"""What a scenario is: a question, its parameters and settings, an action, and expectations as checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from controller.settings import Settings
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import Behaviour

if TYPE_CHECKING:
    from testbed.experiment.lab import Lab
    from testbed.experiment.report import Report


class Parameters(BaseModel):
    """What a user may choose about every scenario, besides the gateway's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    clients: int = Field(8, strict=True, ge=1, description="inside hosts")


class PatientParameters(Parameters):
    """What a user may choose where attempts are refused: each is given up some time."""

    patience: float = Field(
        2.0, strict=True, ge=0.5, le=130, description="seconds after which an attempt is given up"
    )


class SubscriberParameters(Parameters):
    """What a user may choose where it is of no importance that a host has one address only."""

    addresses_per_client: int = Field(
        1, strict=True, ge=1, description="addresses of each inside host, used in turn: each is a subscriber"
    )

    @property
    def subscribers(self) -> int:
        """How many the NAT sees."""
        return self.clients * self.addresses_per_client


class Scenario:
    """One experiment. A subclass is one file: its docstring the question, `run` the answer.

    `run` is called in the sandbox, with the lab built and its gateway ready. Before that, outside of it,
    `complete` and `check` see to it that the parameters and settings make sense together.
    """

    name: ClassVar[str]
    claim: ClassVar[str]
    Parameters: ClassVar[type[Parameters]] = Parameters
    topology: ClassVar[str] = "home"
    """The network that the question is asked in, unless the user chooses another."""
    settings: ClassVar[dict[str, Any]] = {}
    """The scenario's own defaults for the gateway's settings."""
    wire_is_read: ClassVar[bool] = True
    """Whether every SYN outside is read, to see who shares an endpoint; it costs time that measurements count."""
    cached_flows: ClassVar[int] = 1000
    """How many flows the switch may keep in its userspace cache: none if all that counts are new connections."""
    otherwise: ClassVar[dict[str, Any]] = {}
    """What to take in place of those that a gateway's restrictions do not allow."""
    gateways: ClassVar[tuple[str, ...]] = ()
    """The gateways that the question is about, by their names: a topology must have them all."""

    @classmethod
    def complete(cls, parameters: Any, settings: Settings) -> tuple[Any, dict[str, Any]]:
        """Return the parameters with what depends on the settings filled in, and defaults for settings.

        The defaults yield to what the user has set. Raises ConfigurationError if it makes no sense.
        """
        return parameters, {}

    @classmethod
    def check(cls, parameters: Any, settings: Settings, behaviour: Behaviour) -> None:
        """Raise ConfigurationError if the question makes no sense for a gateway that behaves so."""

    @classmethod
    def of_each_gateway(cls, parameters: Any) -> dict[str, dict[str, Any]]:
        """Return what is set otherwise at single gateways, by their names in the topology."""
        return {}

    @classmethod
    def open_sockets(cls, parameters: Any, settings: Settings) -> int:
        """Return how many sockets the scenario holds at once on each side, for checking the machine."""
        return 0

    def run(self, lab: Lab, parameters: Any, settings: Settings, report: Report) -> None:
        """Act, observe, and check."""
        raise NotImplementedError

    @classmethod
    def defaults(cls, restrictions: Iterable[Restriction]) -> dict[str, Any]:
        """Return its defaults for the settings of a gateway with these restrictions."""
        barred = {
            each.key for each in restrictions if cls.settings.get(each.key, each.allowed[0]) not in each.allowed
        }
        return {**cls.settings, **{key: value for key, value in cls.otherwise.items() if key in barred}}

    @classmethod
    def question(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or cls.name).strip().splitlines()[0]
