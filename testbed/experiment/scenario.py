"""The base of all scenarios: a question, its parameters and settings, what it needs, and `run` to answer it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args, get_origin

from controller.settings import MARKS, Bites, Settings
from testbed.experiment.demand import MODEST, Demand, Return, in_turn
from testbed.experiment.judgement import Finding, Unseen
from testbed.experiment.parameters import Parameters
from testbed.experiment.requirements import Requirement
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import Behaviour

if TYPE_CHECKING:  # it needs Mininet, and deciding about a run does not
    from testbed.experiment.experiment import Experiment


P = TypeVar("P", bound=Parameters)


class Scenario(ABC, Generic[P]):
    """One experiment. A subclass is one file: its docstring asks the question, and `run` answers it.

    `run(self, x)` is called in the sandbox, when the lab is built and its gateway is ready. Everything that it
    needs is at `x`, an `Experiment`. Its parameters are of the class in the brackets: `class
    Mine(Scenario[MyParameters])`. Before that, outside the sandbox, `complete` fills in what depends on the
    settings, and a run that does not meet `requires` is refused. If a class has no `name`, it is derived from the
    class's own.
    """

    name: ClassVar[str]
    claim: ClassVar[str] = ""
    """A statement that people make, and that this scenario puts to the test."""
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
    """Whether every SYN outside is read, to see clients that share an endpoint. A scenario that measures turns it
    off, since it takes time."""
    cached_flows: ClassVar[int] = 1000
    """The number of flows that the switch may keep in its cache. It is 0 if only new connections count."""
    gateways: ClassVar[tuple[str, ...]] = ()
    """The names of the gateways that the question is about. A topology must have them all."""
    nats_beside: ClassVar[bool] = False
    """Whether clients may be behind another NAT than the question is about, in a network that a user chooses."""
    nats_may_differ: ClassVar[bool] = False
    """Whether the NATs that the question is about may be of different kinds, or have different settings."""
    reckons_with: ClassVar[tuple[str, ...]] = ()
    """The limits and timers that the expectations follow, by their keys. Any other that could bite is refused."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Derive the class's `name`, if it has none, and its `Parameters` from the brackets."""
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        for base in cls.__dict__.get("__orig_bases__", ()):
            for chosen in get_args(base) if issubclass(get_origin(base) or object, Scenario) else ():
                if isinstance(chosen, type):
                    if not issubclass(chosen, Parameters):
                        raise TypeError(f"{chosen.__name__} in Scenario[...] has to derive from Parameters")
                    cls.Parameters = chosen

    @abstractmethod
    def run(self, x: Experiment[P]) -> None:
        """Act, observe what happens, and check it against what is expected."""

    def judged(self, x: Experiment[P]) -> Iterable[Finding | Unseen] | None:
        """Return what is found when it is over, in place of what is looked at after every scenario; None: that."""
        return None

    @classmethod
    def complete(cls, parameters: P, settings: Settings) -> dict[str, Any]:
        """Return defaults, of parameters and settings, that depend on other values; what the user sets wins."""
        return {}

    @classmethod
    def of_each_gateway(cls, parameters: P) -> dict[str, dict[str, Any]]:
        """Return the settings in which single gateways differ, by their names in the topology."""
        return {}

    @classmethod
    def open_sockets(cls, parameters: P, settings: Settings) -> int:
        """Return the number of sockets that are open at once on each side: by default the parameter `attempts`."""
        return getattr(parameters, "attempts", 0) or 0

    @classmethod
    def demand(cls, parameters: P, settings: Settings) -> Demand:
        """Return what the NAT has to bear. By default all sockets are opened by the subscribers in turn."""
        attempts = cls.open_sockets(parameters, settings)
        if not attempts:
            return MODEST
        protocols, lasts = (getattr(parameters, "protocol", "tcp"),), cls.lasts(parameters, settings)
        comes_back = any(MARKS.get(key) is Bites.RETURN for key in cls.reckons_with)
        returns = Return.SAME if comes_back else Return.NEVER
        return Demand(in_turn(attempts, parameters.subscribers), protocols, lasts=lasts, returns=returns)

    @classmethod
    def lasts(cls, parameters: P, settings: Settings) -> float | None:
        """Return the seconds for which a connection may stay unused, and has to live; None if it is not known."""
        return None

    @classmethod
    def defaults(cls, restrictions: Iterable[Restriction]) -> dict[str, Any]:
        """Return the scenario's defaults for the settings, for a gateway with these restrictions."""
        return cls.settings

    @classmethod
    def check(cls, parameters: P, settings: Settings, behaviour: Behaviour) -> None:
        """Raise ConfigurationError if the question makes no sense for a gateway with this behaviour.

        It is for a condition that `requires` cannot express.
        """

    @classmethod
    def question(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or cls.name).strip().splitlines()[0]
