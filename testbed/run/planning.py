"""A plan as it was asked for: checked before anything starts, with a student's file met behind walls only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from controller.settings.profiles import EXPLAINED
from testbed.plan.calls import calls_of, of_calls
from testbed.plan.carrier import nat_of, of_subscribers
from testbed.plan.chosen import Chosen, chosen_from
from testbed.plan.traced import of_trace
from testbed.plan.traces.reading import read
from testbed.run.choices import Choices
from testbed.run.given import ALLOCATOR_KEY, POLICY_KEY, values_given
from testbed.run.strangers import are_met, declared, files_among
from testbed.run.version import origin

WITHIN_S = 86_400.0
"""The seconds that a plan with a student's file may take."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan that can be carried out: what was given, and by which load."""

    given: Mapping[str, Any]
    profile: str
    seed: int
    erlangs: float | None
    target: float | None
    trace: Path | None
    has_front: bool

    @property
    def name(self) -> str:
        """What the plan's folder is named by."""
        return "trace" if self.trace else "subscribers" if self.erlangs is None else "erlangs"

    @property
    def files(self) -> list[Path]:
        """The files of a user's own that are part of it."""
        return files_among(self.given.get(key) for key in (ALLOCATOR_KEY, POLICY_KEY))

    def carried_out(self) -> dict[str, Any]:
        """Return the results."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        return {
            **self._met(self._simulated),
            **origin().as_json(),
            "profile": self.profile,
            "assumed": [key for key in EXPLAINED[self.profile].assumed if key not in self.given],
            "chosen": dict(self.given),
            "started": started,
        }

    def checked(self) -> None:
        """Raise ConfigurationError if something is not possible."""
        self._met(self._possible)

    def _met(self, work: Any) -> Any:
        """Do what meets a student's file, if there is one, behind walls."""
        files = self.files
        if not are_met(files):
            return work()
        shown = [self.trace] if self.trace else []
        return declared([*files, *shown], work, about=", ".join(map(str, files)), within=WITHIN_S)

    def _possible(self) -> None:
        chosen = self._chosen()
        nat_of(chosen)
        size = chosen.parameters.block_of_each
        if size is not None and self.name != "subscribers":
            raise ConfigurationError(
                f"parameter block_of_each={size} is not possible with --{self.name}: it is about subscribers; "
                "leave it out"
            )
        if self.erlangs is not None:
            calls_of(chosen, self.erlangs)
        if self.trace is not None:
            read(self.trace, chosen.nat())

    def _chosen(self) -> Chosen:
        return chosen_from(self.given, self.profile, self.seed)

    def _simulated(self) -> dict[str, Any]:
        chosen = self._chosen()
        if self.erlangs is not None:
            return of_calls(chosen, self.erlangs)
        if self.trace is not None:
            return of_trace(chosen, self.trace)
        return of_subscribers(chosen, target=self.target, has_front=self.has_front)


def planned(
    choices: Choices, *, erlangs: float | None, target: float | None, trace: Path | None, has_front: bool
) -> Asked:
    """Return a plan that is possible. Raises ConfigurationError."""
    options = {"--erlangs": erlangs, "--trace": trace, "--target": target}
    given = [f"{name} {value}" for name, value in options.items() if value is not None]
    given += ["--front"] if has_front else []
    if len(given) > 1:
        raise ConfigurationError(
            f"{' and '.join(given)} are not possible together: each is a plan of its own; give one of them"
        )
    asked = Asked(values_given(choices), choices.profile, choices.seed, erlangs, target, trace, has_front)
    asked.checked()
    return asked
