"""The results that a folder has: of a run, of a comparison, of benches, of a plan or of a sweep.

Any program may have written there. A link is not followed, and nothing but a regular file of a limited size is
read. A file that does not hold what this program writes is damaged, and its folder is named with the reason.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from testbed.registry import BENCHES
from testbed.run.folder import PLAN, RESULTS, SWEEP
from testbed.run.naming import label, printable, words

COMPARISON = "compare.json"
BENCHED = {name: f"{name}.json" for name in BENCHES}
MOST_BYTES = 256 << 20
_GRAVEST = ("error", "fail", "pass", "cannot")
"""The verdicts of a comparison's runs, in the order in which they count for the whole."""

_LATEST = 1 << 34
"""A time, in seconds since the epoch, that every function for times can bear."""

Time = Annotated[AwareDatetime, Field(ge=datetime.fromtimestamp(0, UTC), le=datetime.fromtimestamp(_LATEST, UTC))]
Seconds = Annotated[float, Field(ge=0, lt=1e9)]
Text = Annotated[str, Field(max_length=4096)]
M = TypeVar("M", bound=BaseModel)


def _written_as_json(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what was chosen. Raises ValueError if a number in it, such as NaN, is none in JSON."""
    json.dumps(chosen, allow_nan=False)
    return chosen


class NoResultsError(Exception):
    """A folder has no results that can be read: the message is the reason."""


class _Results(BaseModel):
    """What each kind of results has. Keys that are not read here may be anything."""

    model_config = ConfigDict(strict=True, frozen=True)

    started: Time | None = None
    duration_s: Seconds = 0.0


class _Run(_Results):
    scenario: Text
    gateway: Text
    verdict: Literal["pass", "fail", "error", "cannot"]
    chosen: Annotated[dict[Text, JsonValue], AfterValidator(_written_as_json)] = {}


class _Comparison(_Results):
    runs: Annotated[list[_Run], Field(min_length=1)]
    pairs: JsonValue = None


class _Bench(_Results):
    bench: Text
    error: str = ""


class _Plan(_Results):
    workload: Text
    chosen: Annotated[dict[Text, JsonValue], AfterValidator(_written_as_json)] = {}


class _Point(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    verdict: Literal["pass", "fail", "error"]


class _Sweep(_Results):
    scenario: Text
    points: list[_Point]
    chosen: Annotated[dict[Text, JsonValue], AfterValidator(_written_as_json)] = {}


@dataclass(frozen=True, slots=True)
class Kept:
    """The results in a folder, as far as they tell them from others."""

    folder: str
    kind: Literal["run", "compare", "bench", "plan", "sweep"]
    started: datetime
    duration_s: float
    verdict: str
    scenarios: list[str] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)
    benches: list[str] = field(default_factory=list)
    plan: str = ""
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What ran: a scenario on a gateway, a comparison of them, benches, a plan, or a sweep."""
        if self.kind == "plan":
            return printable(f"plan for {self.plan}")
        if self.kind == "sweep":
            return printable(f"sweep of {label(self.plan)}")
        if self.kind == "bench":
            return printable(f"bench {', '.join(self.benches)}")
        several = len(self.scenarios) > 1
        names = f"{len(self.scenarios)} scenarios" if several else label(self.scenarios[0])
        on = f"{names} on {', '.join(map(label, self.gateways))}"
        return printable(on if self.kind == "run" else f"compare {on}")

    @property
    def words(self) -> list[str]:
        """What was chosen otherwise than by default."""
        return [printable(each) for each in words(self.chosen)]

    def as_json(self) -> dict[str, Any]:
        """Return the row that `lastport runs --json` prints."""
        return {
            "folder": self.folder,
            "kind": self.kind,
            "started": self.started.isoformat(timespec="seconds"),
            "duration_s": self.duration_s,
            "verdict": self.verdict,
            "scenarios": self.scenarios,
            "gateways": self.gateways,
            "benches": self.benches,
            "chosen": self.chosen,
        }


def kept_in(path: Path, *, follow: bool = False) -> Kept:
    """Return the results in a folder. Raises NoResultsError. A link to a folder is followed only on request."""
    with entered(path, follow=follow) as folder:
        if (found := _read(folder, RESULTS, _Run)) is not None:
            run, at = found
            return Kept(
                *(str(path), "run", run.started or at, run.duration_s, run.verdict, [run.scenario], [run.gateway]),
                chosen=dict(run.chosen),
            )
        if (compared := _read(folder, COMPARISON, _Comparison)) is not None:
            return _comparison(path, *compared)
        if (planned := _read(folder, PLAN, _Plan)) is not None:
            plan, at = planned
            return Kept(
                *(str(path), "plan", plan.started or at, plan.duration_s, "pass"),
                plan=plan.workload,
                chosen=dict(plan.chosen),
            )
        if (swept := _read(folder, SWEEP, _Sweep)) is not None:
            sweep, at = swept
            verdicts = {point.verdict for point in sweep.points}
            return Kept(
                *(str(path), "sweep", sweep.started or at, sweep.duration_s),
                verdict=next((verdict for verdict in _GRAVEST if verdict in verdicts), "error"),
                plan=sweep.scenario,
                chosen=dict(sweep.chosen),
            )
        benches = [read for name in BENCHED.values() if (read := _read(folder, name, _Bench)) is not None]
        if benches:
            return _benches(path, benches)
    raise NoResultsError("it has no results: its run is under way, was killed, or was none of lastport's")


def _comparison(path: Path, compared: _Comparison, at: datetime) -> Kept:
    runs = compared.runs
    verdicts = {run.verdict for run in runs}
    chosen = {key: value for run in runs for key, value in run.chosen.items()}
    if compared.pairs is not None:  # what differs from pair to pair was not chosen
        chosen = {key: value for key, value in chosen.items() if all(run.chosen.get(key) == value for run in runs)}
    return Kept(
        folder=str(path),
        kind="compare",
        started=compared.started or min((run.started for run in runs if run.started), default=at),
        duration_s=compared.duration_s or sum(run.duration_s for run in runs),
        verdict=next((verdict for verdict in _GRAVEST if verdict in verdicts), "cannot"),
        scenarios=list(dict.fromkeys(run.scenario for run in runs)),
        gateways=list(dict.fromkeys(run.gateway for run in runs)),
        chosen=chosen,
    )


def _benches(path: Path, read: Sequence[tuple[_Bench, datetime]]) -> Kept:
    return Kept(
        folder=str(path),
        kind="bench",
        started=min(bench.started or at for bench, at in read),
        duration_s=sum(bench.duration_s for bench, _ in read),
        verdict="error" if any(bench.error for bench, _ in read) else "pass",
        benches=[bench.bench for bench, _ in read],
    )


@contextmanager
def entered(path: Path, *, follow: bool) -> Iterator[int]:
    """Open a folder. Raises NoResultsError if that is not possible."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if path.is_symlink():
            raise NoResultsError("it is a link, which is not followed") from None
        reason = "it is no folder" if path.is_file() else f"it cannot be read: {error.strerror}"
        raise NoResultsError(reason) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: int, name: str, model: type[M]) -> tuple[M, datetime] | None:
    """Return what a file holds, and its time; None if there is no such file. Raises NoResultsError."""
    found = contents(folder, name)
    if found is None:
        return None
    try:
        return model.model_validate_json(found[0]), found[1]
    except ValidationError:
        raise NoResultsError(f"{name} is damaged: it does not hold what lastport writes") from None


def contents(folder: int, name: str, *, most: int = MOST_BYTES) -> tuple[bytes, datetime] | None:
    """Return the bytes of a file in an open folder, and its time; None if there is none. Raises NoResultsError."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NoResultsError(f"{name} cannot be read: {error.strerror}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise NoResultsError(f"{name} is no file")
        if facts.st_size > most:
            raise NoResultsError(f"{name} has {facts.st_size:,} bytes, which is too much to read")
        at = datetime.fromtimestamp(min(max(facts.st_mtime, 0), _LATEST), UTC)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most), at
    except OSError as error:
        raise NoResultsError(f"{name} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
