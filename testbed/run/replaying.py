"""Which run replays a plan, what a file has of it, and the points that a plan is checked at.

Plain calls, subscribers and traces have a scenario each. What is set for it makes the plan as small and as quick
as a lab.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controller.settings import ConfigurationError
from testbed.plan.arrivals import Ending
from testbed.plan.chosen import Chosen, chosen_from, parted
from testbed.plan.cut import cut
from testbed.plan.scaled import LEAST_COUNTED, scaled
from testbed.plan.shrunk import shrunk
from testbed.plan.traces.reading import read
from testbed.plan.traces.record import Record
from testbed.run import doctor
from testbed.run.choices import Choices
from testbed.run.folder import PLAN
from testbed.run.launch import carry_out
from testbed.run.live.display import Manner
from testbed.run.mistakes import first_mistake
from testbed.run.opening import opened
from testbed.run.planning import Asked
from testbed.run.resolve import resolve
from testbed.run.schema import PlanResults
from testbed.run.strangers import files_among

GATEWAY = "openflow"
POINTS = (0.8, 1.0, 1.25)
"""The loads at which a plan is checked, as multiples of its own."""
CHECKED_S = 25
"""The seconds that are counted at each of them."""
MOST_BYTES = 16 << 20
LEAST_MEASURED_S, MOST_MEASURED_S = 5.0, 70.0
"""Subscribers are counted in a lab for as long as in the plan, if that is between these seconds."""
LONGEST_TRACE_S = 90.0
"""The seconds of a lab in which the part of a trace is over that is replayed."""
SOCKETS, SPARE_SOCKETS = 3, 300
"""The connections at once for which there is room: a multiple of their mean number, and some more."""


def plan_in(path: Path) -> dict[str, Any]:
    """Return the results of a plan, of its file or its folder. Raises ConfigurationError."""
    file = path / PLAN if path.is_dir() else path
    try:
        with file.open("rb") as opened:
            told = json.loads(opened.read(MOST_BYTES))
        PlanResults.model_validate(told)
    except OSError as error:
        raise ConfigurationError(f"--plan {path} cannot be read ({error.strerror}); take a {PLAN}") from None
    except ValidationError as error:
        raise ConfigurationError(
            f"--plan {path} is no plan: {first_mistake(error, told)}; take a {PLAN}"
        ) from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"--plan {path} is no JSON; take a {PLAN}") from None
    return dict(told)


def replay_of(plan: Mapping[str, Any], choices: Choices, *, point: float | None = None) -> tuple[str, Choices]:
    """Return the scenario that replays a plan, and its choices; at a `point`, with a multiple of the plan's load.

    What the user gives besides has precedence. Raises ConfigurationError.
    """
    workload = str(plan["workload"])
    if workload not in VALUES:
        raise ConfigurationError(
            f"a plan of {workload} is not possible on the wire; take one of {', '.join(sorted(VALUES))}"
        )
    scenario, values_of = VALUES[workload]
    chosen = chosen_from(plan["chosen"], plan["profile"], plan["seed"])
    settings, _ = parted(plan["chosen"])
    values = {**settings, **values_of(plan, chosen, point)}
    sets = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    return scenario, replace(
        choices, profile=plan["profile"], seed=plan["seed"], sets=[*sets, *choices.sets], by_command=True
    )


def _of_calls(plan: Mapping[str, Any], chosen: Chosen, point: float | None) -> dict[str, Any]:
    offered = plan["parameters"].get("erlangs")
    if not isinstance(offered, int | float):
        raise ConfigurationError("a plan without erlangs is no plan of plain calls; take one of --erlangs A")
    small = scaled(chosen, float(offered) * (point or 1.0))
    return {
        **small.settings,
        "erlangs": small.erlangs,
        "life": small.life,
        "clients": small.clients,
        "sources": small.sources,
        "size": small.size,
        "pace": small.pace,
        "planned": plan["refused_share"] if point is None else None,
    }


def _of_subscribers(plan: Mapping[str, Any], chosen: Chosen, point: float | None) -> dict[str, Any]:
    if point is not None:
        chosen = replace(chosen, parameters=chosen.parameters.model_copy(update=_load(plan, point)))
    small, parameters = shrunk(chosen), chosen.parameters
    clients, addresses = small.hosts
    return {
        **small.settings,
        "plan": parameters.model_dump(mode="json", exclude_defaults=True),
        "clients": clients,
        "addresses_per_client": addresses,
        "size": small.size,
        "pace": small.pace,
        "warm_up": small.warm_up,
        "measured": min(MOST_MEASURED_S, max(LEAST_MEASURED_S, parameters.duration * small.pace)),
        "holding": small.holding,
        "sockets": math.ceil(SOCKETS * small.rate * parameters.life * small.pace) + SPARE_SOCKETS,
        "planned": plan["refused_share"] if point is None else None,
        "formulas": {} if point else {each["model"]: each["refused_share"] for each in plan.get("theory", [])},
    }


def _of_trace(plan: Mapping[str, Any], chosen: Chosen, point: float | None) -> dict[str, Any]:
    file = plan["parameters"].get("trace_file")
    if not isinstance(file, str):
        raise ConfigurationError("a plan without its trace_file cannot be replayed; take one of --trace FILE")
    if files := files_among(plan["chosen"].values()):
        raise ConfigurationError(
            f"a trace is not possible on the wire with {files[0]}, which is walled in and would not "
            "find the trace; take subscribers, or a strategy of ours"
        )
    if not file.isprintable():
        raise ConfigurationError(f"the plan's trace {file!a} has no name in text; take one that has")
    records = read(Path(file), chosen.nat(), called="the plan's trace").records
    if len(records) != plan["offered"]:
        raise ConfigurationError(
            f"the plan's trace {file} has {len(records):,} attempts, and had {plan['offered']:,} when it was "
            "planned; take a new plan of it"
        )
    part = cut(chosen, records, LONGEST_TRACE_S)
    _require_enough(file, records[: part.attempts])
    clients, addresses = part.hosts
    return {
        **part.settings,
        "trace": file,
        "attempts": part.attempts,
        "clients": clients,
        "addresses_per_client": addresses,
        "measured": LONGEST_TRACE_S + 1,
        "pace": part.pace,
        "holding": part.holding,
        "sockets": part.attempts + SPARE_SOCKETS,
        "planned": plan["refused_share"],
    }


def _require_enough(file: str, part: Sequence[Record]) -> None:
    """Raise ConfigurationError if too few of the attempts are answered, each between endpoints of its own."""
    counted = {
        (each.protocol, each.source, each.destination) for each in part if each.ending is not Ending.UNANSWERED
    }
    if len(counted) < LEAST_COUNTED:
        raise ConfigurationError(
            f"the plan's trace {file} has {len(counted)} attempts that can be counted on the wire, answered "
            f"and between endpoints of their own; take one with {LEAST_COUNTED} at least"
        )


Values = Callable[[Mapping[str, Any], Chosen, float | None], dict[str, Any]]
VALUES: dict[str, tuple[str, Values]] = {
    "erlangs": ("plan", _of_calls),
    "subscribers": ("plan-subscribers", _of_subscribers),
    "trace": ("plan-trace", _of_trace),
}
"""The scenario that replays a plan of each workload, and what is set for it."""


def require_checkable(asked: Asked) -> None:
    """Raise ConfigurationError, or MachineError, if a plan cannot be checked here."""
    if asked.files:
        raise ConfigurationError(
            "--check is not possible with a file of one's own; take `lastport run --plan FILE`"
        )
    doctor.require(0)


def replayed(plan: Mapping[str, Any], folder: Path, manner: Manner) -> Iterator[dict[str, Any]]:
    """Carry out a run for each point, in a folder of its own, and yield what each figure was."""
    points = (1.0,) if plan["workload"] == "trace" else POINTS
    for number, point in enumerate(points, 1):
        measured = [] if plan["workload"] == "trace" else [f"measured={CHECKED_S}"]
        scenario, choices = replay_of(plan, Choices(sets=measured), point=point)
        run = resolve(scenario, GATEWAY, choices, datapath=doctor.datapath())
        place = f"{number} of {len(points)}"
        _, written = carry_out(run, opened(folder / f"check-{number}"), place=place, pcap=False, manner=manner)
        figures = written.get("series", {}).get("beside", [])
        shares = [each["refused_share"] for each in figures]
        yield {
            **_load(plan, point),
            "verdict": written["verdict"],
            "beside": figures,
            "difference": round(shares[-1] - shares[-3], 6) if shares else None,
        }


def _load(plan: Mapping[str, Any], point: float) -> dict[str, Any]:
    """Return the load at a point: a multiple of the plan's. A trace is what it is."""
    parameters = plan["parameters"]
    loads = {
        "erlangs": lambda: {"erlangs": point * parameters["erlangs"]},
        "subscribers": lambda: {"subscribers": max(1, round(point * parameters["subscribers"]))},
    }
    return loads.get(plan["workload"], dict)()
