"""`lastport compare`: the same scenarios on several gateways in turn, each in a sandbox of its own.

Everything is decided before anything starts. A mistake of the user ends the command there. A run that a gateway,
this machine or one of several scenarios makes impossible is an entry among the results, with the reason.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from controller.settings.extensions import absolute
from testbed.compare.differences import differences
from testbed.compare.showed import showed
from testbed.experiment.plan import Run
from testbed.registry import load
from testbed.run import doctor
from testbed.run.choices import Choices
from testbed.run.exit_status import ExitStatus
from testbed.run.folder import Folder
from testbed.run.given import deciding, files_of
from testbed.run.kept import COMPARISON
from testbed.run.launch import Watch, carry_out
from testbed.run.live.display import Manner
from testbed.run.naming import in_file_names, label
from testbed.run.opening import opened, require_no_results
from testbed.run.resolve import CannotError, as_run, require_profile, resolve
from testbed.run.strangers import are_met, declared
from testbed.run.version import origin
from testbed.sandbox.enter import MachineError

Reporter = Callable[[Folder, dict[str, Any]], None]
"""What is called with the folder and the result of a run, once it is written."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One scenario on one gateway: a run that is ready, or the reason why there is none."""

    scenario: str
    gateway: str
    run: Run | None
    reason: str = ""
    fault: ExitStatus = ExitStatus.PASSED
    mistaken: bool = False
    """Whether the reason is the user's choices, so that no gateway could run it."""
    compared_as: str = ""
    """What tells it from the others, where profiles are compared: its profile."""

    @property
    def subject(self) -> str:
        """What it is compared as: its gateway, or its profile."""
        return self.compared_as or self.gateway

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        run = self.run and self.run.model_dump(mode="json")
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"run": run}

    def cannot(self) -> dict[str, Any]:
        """Return the entry that stands in the place of a result."""
        return {
            "schema": 1,
            "scenario": self.scenario,
            "gateway": self.gateway,
            "verdict": "cannot",
            "reason": self.reason,
            **self.marked(),
        }

    def marked(self) -> dict[str, str]:
        """Return what the results of its run have besides, where profiles are compared."""
        return {"compared_as": self.compared_as} if self.compared_as else {}


@dataclass(slots=True)
class Comparison:
    """The result: the object that `--json` prints, the exit status, and the number of runs that were not begun.

    `unkept` is the reason why it is not in its folder, if it is not.
    """

    told: dict[str, Any]
    status: ExitStatus
    left_out: int
    unkept: str = ""


def names(listed: str, option: str = "--gateways") -> list[str]:
    """Return the names in a list with commas, without blanks. Raises ConfigurationError if one is empty."""
    found = [name.strip() for name in listed.split(",")]
    if not all(found):
        raise ConfigurationError(f"{option} {listed!r} has an empty name; give names, with commas between them")
    return found


def of_profiles(
    choices: Choices, scenarios: Sequence[str], gateway: str, profiles: Sequence[str]
) -> list[Planned]:
    """Decide about every scenario with every profile, on one gateway. Raises ConfigurationError as `plans`.

    A profile that some scenarios refuse, or all of them, is an entry among the results if others are possible.
    """
    twice = {profile for profile in profiles if profiles.count(profile) > 1}
    if twice:
        raise ConfigurationError(f"--profiles: {', '.join(sorted(twice))} is there twice; name each profile once")
    for profile in profiles:
        require_profile(profile)
    by_profile = []
    for profile in profiles:
        decided = _decided(replace(choices, profile=profile), scenarios, [gateway])
        by_profile.append([replace(each, compared_as=profile) for each in decided])
    planned = [each for group in zip(*by_profile, strict=True) for each in group]
    require_sense(planned)
    return planned


def plans(choices: Choices, scenarios: Sequence[str], gateways: Sequence[str]) -> list[Planned]:
    """Decide about every scenario on every gateway. Raises ConfigurationError for a mistake of the user.

    A key of `--set` must be known to one scenario or gateway, and need not be known to all. Choices that are
    impossible in some of several scenarios are entries among the results. Choices that are impossible in all
    scenarios on a gateway are a mistake.
    """
    planned = _decided(choices, scenarios, gateways)
    for kind in gateways:
        require_sense([each for each in planned if each.gateway == absolute(kind)])
    return planned


def _decided(choices: Choices, scenarios: Sequence[str], gateways: Sequence[str]) -> list[Planned]:
    files = files_of(choices, *scenarios, *gateways)
    if not are_met(deciding(choices, *scenarios, *gateways)):
        return _plans(choices, scenarios, gateways)

    def work() -> list[Any]:
        return [each.as_json() for each in _plans(choices, scenarios, gateways)]

    told = declared(files, work, about=", ".join(map(str, files)))
    pairs = itertools.product(scenarios, gateways)
    return [_as_asked(each, choices, *pair) for each, pair in zip(told, pairs, strict=True)]


def _as_asked(told: dict[str, Any], choices: Choices, scenario: str, gateway: str) -> Planned:
    """Return what was decided about a scenario on a gateway. Raises ConfigurationError if it is about another."""
    run = told["run"] and as_run(told["run"], choices, scenario, gateway)
    names = {"scenario": absolute(scenario), "gateway": absolute(gateway)}
    return Planned(**{**told, **names, "run": run, "fault": ExitStatus(told["fault"])})


def _plans(choices: Choices, scenarios: Sequence[str], gateways: Sequence[str]) -> list[Planned]:
    """Decide about every scenario on every gateway, in a process that may import what is chosen."""
    kinds = [load("gateway", gateway) for gateway in gateways]
    asked = [load("scenario", scenario) for scenario in scenarios]
    twice = {gateway for gateway in gateways if [*map(absolute, gateways)].count(absolute(gateway)) > 1}
    if twice:
        raise ConfigurationError(f"--gateways: {', '.join(sorted(twice))} is there twice; name each gateway once")
    others = {key for kind in kinds for key in kind.Options.model_fields}
    others |= {key for cls in asked for key in cls.Parameters.model_fields}
    return [plan(choices, scenario, gateway, others) for scenario in scenarios for gateway in gateways]


def plan(choices: Choices, scenario: str, gateway: str, others: set[str]) -> Planned:
    """Decide about a scenario on a gateway. Keys in `others` may be given though they mean nothing there."""
    names = absolute(scenario), absolute(gateway)
    try:
        run = resolve(scenario, gateway, choices, datapath=doctor.datapath(), others=others)
        return Planned(*names, run)
    except ConfigurationError as error:
        mistaken = not isinstance(error, CannotError)
        return Planned(*names, None, str(error), ExitStatus.WRONG_INPUT, mistaken)


def require_sense(planned: list[Planned]) -> None:
    """Raise ConfigurationError if the user's choices are impossible with every scenario on a gateway."""
    if not all(each.mistaken for each in planned):
        return
    reasons = dict.fromkeys(each.reason for each in planned)
    first = planned[0]
    is_named = len(reasons) == 1 or label(first.scenario) in first.reason
    raise ConfigurationError(first.reason if is_named else f"{label(first.scenario)}: {first.reason}")


def able(planned: Sequence[Planned]) -> list[Planned]:
    """Replace the runs that this machine cannot carry out. Raises MachineError if it cannot run any lab."""
    found = list(doctor.findings())
    doctor.require(0, found=found)
    return [_able(each, found) for each in planned]


def _able(each: Planned, found: list[doctor.Finding]) -> Planned:
    if each.run is None:
        return each
    try:
        doctor.require(each.run.sockets, needs=each.run.needs, found=found)
    except MachineError as error:
        return replace(each, run=None, reason=str(error), fault=ExitStatus.MACHINE_LACKS)
    return each


def require_room(planned: Sequence[Planned], path: Path) -> None:
    """Raise ConfigurationError if the folder, or that of one of the runs, has results, or leads elsewhere."""
    require_free(path, [_folder(each, planned) for each in planned if each.run is not None])


def require_free(path: Path, folders: Iterable[Path]) -> None:
    """Raise ConfigurationError if a folder, or one of those to be in it, has results, or leads elsewhere."""
    require_no_results(path)
    for folder in (path / each for each in folders):
        if folder.is_symlink():
            raise ConfigurationError(f"--out {folder} is a link; take another folder, or remove it")
        require_no_results(folder)


def chosen(planned: Iterable[Planned]) -> dict[str, Any]:
    """Return what the user chose otherwise than by default, in at least one of the runs."""
    return {key: value for each in planned if each.run for key, value in each.run.chosen.items()}


def compare(
    planned: Sequence[Planned],
    folder: Folder,
    *,
    pcap: bool,
    manner: Manner = Manner.NOTHING,
    watch: Watch | None = None,
    report: Reporter = lambda folder, run: None,
) -> Comparison:
    """Carry out all runs in turn, and keep every result. After an interruption, keep the results so far."""
    runs: list[dict[str, Any]] = []
    statuses: list[ExitStatus] = []
    begun = beginning()
    how = {"pcap": pcap, "manner": manner, "watch": watch}
    for told, status in _results(planned, folder.path, report, how):
        runs.append(told)
        statuses.append(status)
    compared = {**begun, "scenarios": showed(runs), "runs": runs, "differences": differences(runs)}
    unkept = folder.keep(COMPARISON, json.dumps(compared, indent=2) + "\n")
    return Comparison(compared, worst(runs, statuses), len(planned) - len(runs), unkept)


def beginning() -> dict[str, Any]:
    """Return what every comparison's results begin with."""
    return {"schema": 1, **origin().as_json(), "started": datetime.now(UTC).isoformat(timespec="seconds")}


def _results(
    planned: Sequence[Planned], path: Path, report: Reporter, how: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], ExitStatus]]:
    for number, each in enumerate(planned, 1):
        if each.run is None:
            yield each.cannot(), each.fault
            continue
        try:
            folder, place = opened(path / _folder(each, planned)), f"{number} of {len(planned)}"
            result, written = carry_out(each.run, folder, place=place, **how)
        except (MachineError, ConfigurationError) as error:
            unable = replace(each, run=None, reason=str(error))
            # Its folder could be made when everything was decided.
            broke = isinstance(error, ConfigurationError)
            yield unable.cannot(), ExitStatus.BROKE if broke else ExitStatus.MACHINE_LACKS
            continue
        if not result.unkept:
            report(folder, written)
        yield {**written, **each.marked()}, result.status
        if result.interrupted:
            return


def _folder(each: Planned, planned: Sequence[Planned]) -> Path:
    """Return the folder of a run: one for each gateway or profile, in one for each of several scenarios."""
    gateway = _distinct(each.subject, [other.subject for other in planned])
    scenarios = [other.scenario for other in planned]
    return gateway if len(set(scenarios)) == 1 else _distinct(each.scenario, scenarios) / gateway


def _distinct(name: str, among: Sequence[str]) -> Path:
    """Return a short name for a folder, with a number if other names are shortened to the same.

    Names that differ in their letters' case alone are the same folder on Windows.
    """
    short = {other: in_file_names(label(other).replace(":", "-")) for other in dict.fromkeys(among)}
    alike = [other for other, each in short.items() if each.casefold() == short[name].casefold()]
    number = alike.index(name)
    return Path(short[name] + (f"-{number + 1}" if number else ""))


def worst(runs: Sequence[dict[str, Any]], statuses: Sequence[ExitStatus]) -> ExitStatus:
    """Return the worst status of the runs that ran. If none could run, nothing was shown, which is no success."""
    both = list(zip(runs, statuses, strict=True))
    ran = [status for run, status in both if run["verdict"] != "cannot" or status is ExitStatus.BROKE]
    return max(ran or statuses)
