"""A comparison as a page of Markdown: the machine, the matrix, and where the gateways differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testbed.compare.differences import RunResult, by_scenario, label, outcomes
from testbed.experiment.stories import told

TEMPLATES = Path(__file__).with_name("templates")


def page(comparison: dict[str, Any]) -> str:
    """Return the page about a comparison, as Markdown."""
    runs = comparison["runs"]
    return (
        told(
            (TEMPLATES / "page.md.j2").read_text(),
            scenarios={
                label(name): {
                    "runs": {label(run["gateway"]): run for run in group},
                    "ended": sum(run["verdict"] in ("pass", "fail") for run in group),
                    "outcomes": outcomes(group),
                    "differences": [
                        found["sentence"] for found in comparison["differences"] if found["scenario"] == name
                    ],
                }
                for name, group in by_scenario(runs).items()
            },
            gateways=list(dict.fromkeys(label(run["gateway"]) for run in runs)),
            machine=_common(runs),
            own={label(gateway): facts for gateway, facts in _own(runs).items() if facts},
            started=min((run["started"] for run in runs if "started" in run), default=""),
            seconds=sum(run.get("duration_s", 0) for run in runs),
        )
        + "\n"
    )


def _common(runs: list[RunResult]) -> dict[str, str]:
    """Return the facts that are the same in every run's environment."""
    described = [run["environment"] for run in runs if run.get("environment")]
    first = described[0] if described else {}
    return {key: fact for key, fact in first.items() if all(each.get(key) == fact for each in described)}


def _own(runs: list[RunResult]) -> dict[str, dict[str, str]]:
    """Return for each gateway the facts that are the same in all its runs, and not the same for all gateways."""
    common = _common(runs)
    return {
        gateway: {
            key: fact
            for key, fact in _common([run for run in runs if run["gateway"] == gateway]).items()
            if key not in common
        }
        for gateway in dict.fromkeys(run["gateway"] for run in runs)
    }
