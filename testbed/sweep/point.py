"""One point of a sweep: a plan or a run with its own values and seed, and how it is carried out.

The seed belongs to the repetition. So all combinations of a repetition have the same random numbers, and differ
by what was chosen alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from controller.settings.extensions import absolute, is_file
from testbed.experiment.plan import Run
from testbed.run import doctor
from testbed.run.choices import Choices
from testbed.run.folder import Folder
from testbed.run.given import ALLOCATOR_KEY, POLICY_KEY, files_of, values_given
from testbed.run.launch import carry_out
from testbed.run.planning import Asked, planned
from testbed.run.resolve import resolve
from testbed.sandbox.enter import MachineError
from testbed.sweep.grid import Combination

PLAN = "plan"
"""The subject that is no scenario."""
NAMED = ("gateway", "topology", "profile")
"""What has an option of its own beside `--set`, and may be in a grid."""
LOADS = ("erlangs", "trace")
"""The same of a plan alone."""


@dataclass(frozen=True, slots=True)
class Point:
    """A combination with the seed of one of its repetitions."""

    combination: Combination
    seed: int

    @property
    def of(self) -> str:
        """What tells its combination from every other one, also when it was read from a file."""
        return json.dumps(self.combination, sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is swept: a scenario, or the plan, with all that is the same at every point."""

    name: str
    named: Mapping[str, Any]
    """Options that were given, by their names: those of `NAMED` and `LOADS`."""
    given: Mapping[str, Any]
    """The values of keys that were given."""

    @property
    def is_plan(self) -> bool:
        """Whether no lab is needed."""
        return self.name == PLAN

    def carried_out(self, point: Point) -> dict[str, Any]:
        """Return the results of a point, with the command that repeats it. Raises MachineError."""
        done = self._planned(point).carried_out() if self.is_plan else self._ran(point)
        done["command"] = self.command(point)
        return done

    def decided(self, combination: Combination) -> Run | None:
        """Return the run of a combination, if it is one. Raises ConfigurationError if it is not possible."""
        point = Point(combination, 1)
        if not self.is_plan:
            return self._resolved(point)
        self._planned(point)
        return None

    def files(self, combination: Combination) -> list[Path]:
        """Return the files of a user's own that a combination needs."""
        point = Point(combination, 1)
        named = self._named(point)
        names = [] if self.is_plan else [self.name, named.get("gateway", "openflow")]
        trace = [Path(named["trace"])] if named.get("trace") else []
        return [*files_of(self._choices(point), *names), *trace]

    def command(self, point: Point) -> list[str]:
        """Return the words of the command that repeats a point alone."""
        named, values = self._named(point), self._values(point)
        options = [word for key, value in named.items() for word in (f"--{key}", str(value))]
        sets = [word for text in _assignments(values) for word in ("--set", text)]
        first = [PLAN] if self.is_plan else ["run", self.name]
        return [*first, *options, *sets, "--seed", str(point.seed)]

    def _ran(self, point: Point) -> dict[str, Any]:
        run = self._resolved(point)
        doctor.require(run.sockets, needs=run.needs)
        with tempfile.TemporaryDirectory(prefix="lastport-point-") as folder:
            result, written = carry_out(run, Folder(Path(folder)), pcap=False)
        if result.interrupted:
            raise MachineError("the run was interrupted")
        return {**written, "files": {}}

    def _resolved(self, point: Point) -> Run:
        gateway = self._named(point).get("gateway", "openflow")
        return resolve(self.name, gateway, self._choices(point), datapath=doctor.datapath())

    def _planned(self, point: Point) -> Asked:
        named = self._named(point)
        trace = named.get("trace")
        return planned(
            self._choices(point),
            erlangs=_erlangs(named.get("erlangs")),
            target=None,
            trace=None if trace is None else Path(trace),
            has_front=False,
        )

    def _choices(self, point: Point) -> Choices:
        named = self._named(point)
        return Choices(
            named.get("topology"),
            None,
            str(named.get("profile", "plain")),
            None,
            [*_assignments(self._values(point))],
            point.seed,
        )

    def _named(self, point: Point) -> dict[str, Any]:
        own = {key: value for key, value in point.combination.items() if self.is_named(key)}
        return {**self.named, **own}

    def _values(self, point: Point) -> dict[str, Any]:
        own = {key: value for key, value in point.combination.items() if not self.is_named(key)}
        return {**self.given, **own}

    def is_named(self, key: str) -> bool:
        """Whether a key of a grid is an option's name and not one of `--set`."""
        return key in (("profile", *LOADS) if self.is_plan else NAMED)


def subject_of(name: str, choices: Choices, **named: Any) -> Subject:
    """Return what is swept. Raises ConfigurationError for an option that is not about it."""
    own = {**named, "topology": choices.topology}
    if choices.profile != "plain":
        own["profile"] = choices.profile
    own = {key: at_place(key, value) for key, value in own.items() if value is not None}
    allowed = ("profile", *LOADS) if name == PLAN else NAMED
    for key in own:
        if key not in allowed:
            what = "a plan" if name == PLAN else "a scenario"
            raise ConfigurationError(
                f"--{key} is not possible with {what}; leave it out, or take another SCENARIO"
            )
    given = {key: at_place(key, value) for key, value in values_given(choices).items()}
    return Subject(name if name == PLAN else absolute(name), own, given)


def at_place(key: str, value: Any) -> Any:
    """Return the value of a key; a file of one's own by its whole path, since a process may be somewhere else."""
    is_name = key in ("gateway", "topology") or key.rpartition(".")[2] in (ALLOCATOR_KEY, POLICY_KEY)
    if is_name and isinstance(value, str) and is_file(value):
        return absolute(value)
    return str(Path(value).absolute()) if key == "trace" else value


def _assignments(values: Mapping[str, Any]) -> Iterable[str]:
    return (f"{key}={json.dumps(value, default=str)}" for key, value in values.items())


def _erlangs(value: Any) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
        return value
    raise ConfigurationError(f"erlangs={value} is no load; take a number above 0")
