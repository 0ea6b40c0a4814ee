"""Which run replays a plan, what a file has of it, and the points that a plan is checked at.

A plan of plain calls can be replayed. The hosts of other plans use several protocols and destinations at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controller.settings import ConfigurationError
from testbed.plan.chosen import chosen_from, parted
from testbed.plan.scaled import scaled
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

SCENARIO, GATEWAY = "plan", "openflow"
POINTS = (0.8, 1.0, 1.25)
"""The loads at which a plan is checked, as multiples of its own."""
CHECKED_S = 25
"""The seconds that are counted at each of them."""
MOST_BYTES = 16 << 20


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


def choices_of(plan: Mapping[str, Any], choices: Choices, *, erlangs: float | None = None) -> Choices:
    """Return the choices of the run that replays a plan, or the same plan with another load.

    What the user gives besides has precedence. Raises ConfigurationError.
    """
    offered = erlangs or plan["parameters"].get("erlangs")
    if plan["workload"] != "erlangs" or not isinstance(offered, int | float):
        raise ConfigurationError(
            f"a plan of {plan['workload']} is not possible on the wire: its hosts use several protocols and "
            "destinations; take a plan of plain calls (--erlangs)"
        )
    chosen = chosen_from(plan["chosen"], plan["profile"], plan["seed"])
    small = scaled(chosen, float(offered))
    settings, _ = parted(plan["chosen"])
    values = {
        **settings,
        **small.settings,
        "erlangs": small.erlangs,
        "life": small.life,
        "clients": small.clients,
        "sources": small.sources,
        "size": small.size,
        "pace": small.pace,
        "planned": plan["refused_share"] if erlangs is None else None,
    }
    sets = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    return replace(
        choices, profile=plan["profile"], seed=plan["seed"], sets=[*sets, *choices.sets], by_command=True
    )


def require_checkable(asked: Asked) -> None:
    """Raise ConfigurationError, or MachineError, if a plan cannot be checked here."""
    if asked.erlangs is None:
        raise ConfigurationError(
            "--check is about a plan of plain calls, since other plans have several protocols and destinations; "
            "take --erlangs A"
        )
    if asked.files:
        raise ConfigurationError(
            "--check is not possible with a file of one's own; take `lastport run --plan FILE`"
        )
    doctor.require(0)


def replayed(plan: Mapping[str, Any], folder: Path, manner: Manner) -> Iterator[dict[str, Any]]:
    """Carry out a run for each point, in a folder of its own, and yield what each figure was."""
    for number, point in enumerate(POINTS, 1):
        erlangs = point * plan["parameters"]["erlangs"]
        choices = choices_of(plan, Choices(sets=[f"measured={CHECKED_S}"]), erlangs=erlangs)
        run = resolve(SCENARIO, GATEWAY, choices, datapath=doctor.datapath())
        place = f"{number} of {len(POINTS)}"
        _, written = carry_out(run, opened(folder / f"check-{number}"), place=place, pcap=False, manner=manner)
        figures = written.get("series", {}).get("beside", [])
        shares = [each["refused_share"] for each in figures]
        yield {
            "erlangs": erlangs,
            "verdict": written["verdict"],
            "beside": figures,
            "difference": round(shares[-1] - shares[0], 6) if shares else None,
        }
