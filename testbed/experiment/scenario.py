"""What a scenario is: a question, its parameters and settings, what it needs, and `run`, which acts and checks."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args, get_origin

from controller.settings import Settings
from testbed.experiment.parameters import Parameters
from testbed.experiment.requirements import Requirement
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import Behaviour

if TYPE_CHECKING:  # it needs Mininet, and to decide about a run takes none
    from testbed.experiment.experiment import Experiment


P = TypeVar("P", bound=Parameters)


class Scenario(ABC, Generic[P]):
    """One experiment. A subclass is one file: its docstring the question, `run` the answer.

    `run(self, x)` is called in the sandbox, with the lab built and its gateway ready. Everything that it needs is
    at `x`, an `Experiment` with parameters of the class named in the brackets: `class
    Mine(Scenario[MyParameters])`. Before that, outside of the sandbox, `complete` fills in what depends on the
    settings, and `requires` refuses what makes no sense. A class without a `name` is named by its own.
    """

    name: ClassVar[str]
    claim: ClassVar[str] = ""
    """What people say, and this decides."""
    story: ClassVar[str | Path] = ""
    """What happened, in words: a Jinja2 template, or the path of a file that holds one. `x.tell` fills it."""
    Parameters: ClassVar[type[Parameters]] = Parameters
    requires: ClassVar[tuple[Requirement, ...]] = ()
    """What the question needs of the settings and of the gateway."""
    topology: ClassVar[str] = "home"
    """The network that the question is asked in, unless the user chooses another."""
    settings: ClassVar[dict[str, Any]] = {}
    """The scenario's own defaults for the gateway's settings."""
    wire_is_read: ClassVar[bool] = True
    """Whether every SYN outside is read, to see who shares an endpoint; it costs time that measurements count."""
    cached_flows: ClassVar[int] = 1000
    """The number of flows that the switch may keep in its cache: none if all that counts are new connections."""
    gateways: ClassVar[tuple[str, ...]] = ()
    """The gateways that the question is about, by their names: a topology must have them all."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Name the class, and note its parameters."""
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        for base in cls.__dict__.get("__orig_bases__", ()):
            chosen = [each for each in get_args(base) if isinstance(each, type) and issubclass(each, Parameters)]
            if chosen and issubclass(get_origin(base), Scenario):
                cls.Parameters = chosen[0]

    @abstractmethod
    def run(self, x: Experiment[P]) -> None:
        """Act, observe, and check."""

    @classmethod
    def complete(cls, parameters: P, settings: Settings) -> tuple[P, dict[str, Any]]:
        """Return the parameters with what depends on the settings filled in, and defaults for settings.

        The defaults yield to what the user has set. Raises ConfigurationError if it makes no sense.
        """
        return parameters, {}

    @classmethod
    def of_each_gateway(cls, parameters: P) -> dict[str, dict[str, Any]]:
        """Return the settings in which single gateways differ, by their names in the topology."""
        return {}

    @classmethod
    def open_sockets(cls, parameters: P, settings: Settings) -> int:
        """Return the number of sockets that are open at once on each side: by default the parameter `attempts`."""
        return getattr(parameters, "attempts", 0)

    @classmethod
    def defaults(cls, restrictions: Iterable[Restriction]) -> dict[str, Any]:
        """Return its defaults for the settings of a gateway with these restrictions."""
        return cls.settings

    @classmethod
    def check(cls, parameters: P, settings: Settings, behaviour: Behaviour) -> None:
        """Raise ConfigurationError if the question makes no sense for a gateway that behaves so.

        For what `requires` cannot say: one sentence of a kind of its own.
        """

    @classmethod
    def question(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or cls.name).strip().splitlines()[0]
