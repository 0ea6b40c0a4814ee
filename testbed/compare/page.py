"""A comparison as a page of Markdown: what each scenario showed, where the gateways differ, and the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testbed.compare.differences import RunResult, by_scenario, ended, not_asked
from testbed.compare.showed import together, without_advice
from testbed.experiment.stories import told
from testbed.run.naming import label, subject

TEMPLATES = Path(__file__).with_name("templates")


def page(comparison: dict[str, Any]) -> str:
    """Return the page about a comparison, as Markdown."""
    runs = comparison["runs"]
    groups = by_scenario(runs)
    return (
        told(
            (TEMPLATES / "page.md.j2").read_text(),
            scenarios={
                label(row["scenario"]): _scenario(row, groups[row["scenario"]], comparison["differences"])
                for row in comparison["scenarios"]
            },
            gateways=list(dict.fromkeys(label(subject(run)) for run in runs)),
            machine=common(runs),
            own={label(gateway): facts for gateway, facts in own(runs).items() if facts},
            cannot=[
                f"{label(run['scenario'])} on {label(subject(run))}: {without_advice(run['reason'])}"
                for run in runs
                if run["verdict"] == "cannot"
            ],
            comparison=comparison,
            seconds=sum(run.get("duration_s", 0) for run in runs),
        )
        + "\n"
    )


def _scenario(row: dict[str, Any], group: list[RunResult], differences: list[dict[str, Any]]) -> dict[str, Any]:
    differing = [each for each in differences if each["scenario"] == row["scenario"]]
    return {
        "claim": row["claim"] or row["question"],
        "runs": {label(subject(run)): run for run in group},
        "ended": len(ended(group)),
        "showed": together(row["showed"]),
        "differences": [each["sentence"] for each in differing if each["kind"] == "check"],
        "not_asked": not_asked(group),
    }


def common(runs: list[RunResult]) -> dict[str, str]:
    """Return the facts that are the same in every run's environment."""
    described = [run["environment"] for run in runs if run.get("environment")]
    first = described[0] if described else {}
    return {key: fact for key, fact in first.items() if all(each.get(key) == fact for each in described)}


def own(runs: list[RunResult]) -> dict[str, dict[str, str]]:
    """Return for each gateway the facts that are the same in all its runs, and not the same for all gateways."""
    of_all = common(runs)
    return {
        gateway: {
            key: fact
            for key, fact in common([run for run in runs if subject(run) == gateway]).items()
            if key not in of_all
        }
        for gateway in dict.fromkeys(subject(run) for run in runs)
    }
