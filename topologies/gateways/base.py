"""What a scenario may ask of any NAT under test, whatever it is made of.

A gateway is a Mininet switch and a subclass of `Gateway`. It gets its settings and its wiring before the network
is built, and starts with the network. What it can do, and what it does by default, is data. A setting that it
cannot follow is refused before anything starts, and never ignored.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from controller.recording import Kind
from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.by_hand import Selection, Table
from topologies.gateways.following import require_followed
from topologies.gateways.gauges import Gauges
from topologies.gateways.recorder import READ_EVERY_S, ExternalMapping, Knows, Recorder, TableReader


class Options(BaseModel):
    """What can be chosen about one kind of gateway only. A subclass has a field with a description for each."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Restriction:
    """A setting that a gateway follows only in part: the values that it follows, and why no others."""

    key: str
    allowed: tuple[Any, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class SupervisedProcess:
    """A process whose end is the end of the run. The tail of `log` has its last words."""

    name: str
    pid: int
    log: Path


@dataclass(frozen=True, slots=True)
class Use:
    """What a run is about to do to a gateway.

    `stated` are the settings that the user gave. Of each protocol there are up to `connections` at one time, and
    `fits` is the number for which there are ports. With `returns`, ports are to come back. If connections come by
    the clock, `per_second` is the number of all hosts.
    """

    scenario: str
    stated: Collection[str]
    protocols: Collection[str]
    connections: int
    fits: int
    returns: bool
    per_second: float | None = None


class Cable(BaseModel):
    """An interface of the machine that is a cable to somebody's device, on one side of it.

    The device answers there for the addresses in `answers`, and our hosts have those in `ours`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    interface: str
    answers: tuple[str, ...]
    ours: tuple[str, ...]


def _unwatched(process: SupervisedProcess) -> None:
    """Watch nothing: outside of a run nothing ends with a process."""


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What a gateway needs to know. `folder` is for its files, and is private to this gateway and run.

    `watch` has the run end with a process from now on. A gateway calls it for what it starts before the network is
    there; it is called for each of its `processes` as soon as the network has started.

    `files` are what the run has open outside of the sandbox, by name: `app.log` for what a stranger's program
    prints, `controller`, a connection to a controller that runs already, and `cables`, a network namespace with
    ways into interfaces of the machine.
    """

    settings: Settings
    options: Options
    interfaces: list[Interface]
    mac: str
    seed: int
    folder: Path
    datapath: str
    watch: Callable[[SupervisedProcess], None] = field(default=_unwatched, compare=False)
    files: Mapping[str, int] = field(default_factory=dict)


class GatewayError(Exception):
    """The gateway did not start, no longer answers, or cannot do what it is asked.

    `printed` is what a stranger's program has printed last: its author wants to read that, and no traceback.
    """

    def __init__(self, message: str, *, printed: str = "") -> None:
        super().__init__(message)
        self.printed = printed


class Gateway(abc.ABC):
    """The NAT under test.

    A subclass is a Mininet switch as well, and has `declare`. Everything else has a default, for a NAT without an
    answer to it. `LinuxRouter` in `topologies/gateways/linux.py` is a base for NATs in Linux.
    """

    settings: ClassVar[dict[str, Any]] = {}
    """Its own defaults, where it does otherwise than ours. Profile, scenario and user override them."""
    Options: ClassVar[type[Options]] = Options
    """Its own settings; they share the one name space of `--set`."""
    restrictions: ClassVar[tuple[Restriction, ...]] = ()
    """The settings that it follows in part, or not at all."""
    followed: ClassVar[Collection[str] | None] = None
    """The settings that it follows, and those that change nothing here: any other, without a restriction, must
    keep its default. None: it follows all."""
    promises: ClassVar[Collection[str]] = ()
    """The settings that are declared only if the user sets them: then its option `promised` has their keys."""
    fits_packets: ClassVar[bool] = False
    """Whether it handles packets that an outside link has no room for (RFC 4787 REQ-13)."""
    topology: ClassVar[str | None] = None
    """The network that it is made for, where the scenario would be in `home` and the user chooses none."""
    chosen_by: ClassVar[str] = ""
    """What has to be chosen with it, as an example of what the user types: `--set app=my_nat.py`."""
    needs: ClassVar[tuple[str, ...]] = ()
    """What only this gateway needs of the machine, by the names that `lastport doctor` gives it."""
    is_strangers: ClassVar[bool] = False
    """Whether it runs a stranger's own program here, which may start any other."""
    settings_of: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Its own defaults in some scenarios, by their names: they override those of the scenario."""
    connection_rate: float | None = None
    """The new connections a second that hosts begin at most, if it is to be spared."""

    @classmethod
    def implied(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that its own options stand for, as the user wrote them."""
        return {}

    @classmethod
    def files(cls, options: Mapping[str, Any]) -> list[str]:
        """Return the paths that its options name, as the user wrote these: a run behind walls has to see them."""
        return []

    @classmethod
    def reaches(cls, options: Any) -> str:
        """Return what it is connected to outside of the sandbox, as `tcp:HOST:PORT`: nothing, usually."""
        return ""

    @classmethod
    def check_use(cls, settings: Settings, options: Any, use: Use) -> None:
        """Raise ConfigurationError for a run that this gateway is not to be used for, as it is chosen."""
        return

    @classmethod
    def cables(cls, settings: Settings, options: Any, interfaces: Sequence[Interface]) -> dict[str, Cable]:
        """Return the interfaces of the machine that it needs, by the names that they get in its namespace."""
        return {}

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what this gateway cannot do."""
        if cls.followed is not None:
            restricted = {restriction.key for restriction in cls.restrictions}
            require_followed(settings, known={*cls.followed, *restricted}, defaults=cls.settings)
        for restriction in cls.restrictions:
            value = getattr(settings, restriction.key)
            if value not in restriction.allowed:
                allowed = " or ".join("null" if each is None else str(each) for each in restriction.allowed)
                shown = "null" if value is None else value
                raise ConfigurationError(
                    f"setting {restriction.key}={shown} is not possible with this gateway: {restriction.reason}; "
                    f"take {restriction.key}={allowed}, or another --gateway"
                )

    @classmethod
    def follows(cls, key: str) -> bool:
        """Whether it follows a setting, so that changing it changes what it does."""
        fixed = {restriction.key for restriction in cls.restrictions if len(restriction.allowed) == 1}
        return key not in fixed and (cls.followed is None or key in cls.followed)

    @classmethod
    def check_wiring(cls, settings: Settings, options: Any, interfaces: Sequence[Interface]) -> None:
        """Raise ConfigurationError for a network in which it cannot stand, at its place there."""
        return

    @classmethod
    @abc.abstractmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what it does under these settings, each fact with its source."""

    @classmethod
    def told_outside(
        cls, settings: Settings, options: Any, interfaces: Sequence[Interface], mac: str
    ) -> dict[str, Any]:
        """Return what a program has to know that stands for this NAT outside of the sandbox: nothing, usually."""
        return {}

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Begin what takes time, and return the parameters for the node's constructor."""
        return {"plan": plan}

    def processes(self) -> list[SupervisedProcess]:
        """Return the processes that the gateway lives by: none, where the kernel or the switch does the work."""
        return []

    def wait_ready(self) -> None:
        """Return once packets are translated: at once, if `start` has waited. Raises GatewayError."""
        return

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return counters and gauges by their RFC 8512 names, now. A name that is missing or None is not known.

        `protocol` is `tcp`, `udp` or `icmp`. Raises GatewayError if there is no answer in time.
        """
        return {}

    def gauges(self) -> Gauges:
        """Return what is known at once, for those who watch: nothing, unless a subclass knows better.

        A thread of its own calls it a few times a second, and less often if it takes long. It must ask no shell of
        a node. It may raise GatewayError or OSError, and is then called no more.
        """
        return Gauges()

    def longest_answer(self) -> float | None:
        """Return the longest that the NAT's own parts took so far to answer one another, in seconds, if known."""
        return None

    def flush(self) -> None:
        """End every mapping at once, as an operator does; their ports are free as soon as for any other ending."""
        raise GatewayError(
            f"{type(self).__name__} cannot end its mappings at once: it has no method flush; take another gateway"
        )

    def table(self, selection: Selection, most: int) -> Table:
        """Return its table, or a part of it, for a person. Raises GatewayError if nobody can see it."""
        raise GatewayError("it keeps its table to itself, so its mappings are not known here")

    def release(self, selection: Selection) -> int:
        """End the selected part of its table, and return the number of rows. Raises GatewayError if it cannot."""
        raise GatewayError("nobody but itself can end one of its mappings; they end by their timers")

    def change(self, settings: Settings) -> str:
        """Follow other settings from now on. Return in a sentence what that has cost, or an empty text.

        Raises GatewayError if it cannot. What it does not follow at all was refused before, by `check`.
        """
        raise GatewayError(
            "it reads its settings once, when it starts; leave the prompt, and give --set to a new one"
        )

    def refusals(self) -> dict[str, str]:
        """Return where it decides to refuse a packet, as a rule or in words, by the counter that counts there."""
        return {}

    def mappings(self) -> Collection[ExternalMapping] | None:
        """Return the mappings that there are now, or None if they are not known.

        For the recording of a run it is called up to four times a second, in another thread than all else. An
        entry for each session will do: one that is there twice counts twice.
        """
        return None

    def record(self, recorder: Recorder) -> Knows:
        """Begin to hand the events of ports to a recorder, and return what can be known of them.

        By default `mappings` is read again and again, if it returns any.
        """
        if self.mappings() is None:
            return Knows()
        TableReader(recorder, self.mappings).start()
        return Knows(
            (Kind.ALLOCATED, Kind.RELEASED, Kind.FREED),
            f"its table, read {1 / READ_EVERY_S:g} times a second or less",
        )

    def remarks(self) -> str:
        """Return what else there is to say of it when the scenario is over, in sentences; or an empty text."""
        return ""

    def environment(self) -> dict[str, str]:
        """Return what it is made of: programs and their versions, for the results."""
        return {}
