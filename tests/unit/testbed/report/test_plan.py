"""The page and the tables of a plan."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from testbed.plan.calls import of_calls
from testbed.plan.carrier import of_subscribers
from testbed.plan.chosen import chosen_from
from testbed.report.export import tables
from testbed.report.page import BUDGET, plan_page
from testbed.report.plan_in_words import answer, share
from testbed.report.reading import read
from testbed.run.folder import Folder
from testbed.run.kept import kept_in
from testbed.run.schema import PlanResults
from tests.support.plans import QUICK

GIVEN = {**QUICK, "subscribers": 40, "duration": 30.0, "heavy": 0.1, "light": 0.3, "ports": 300}
TOLD = {"started": "2026-11-29T10:00:00+00:00", "profile": "plain", "chosen": {"ports": 300}}


@pytest.fixture(scope="module")
def carrier() -> dict[str, Any]:
    """The plan of a carrier that refuses some of its subscribers' attempts."""
    return of_subscribers(chosen_from(GIVEN, "plain", 1), target=0.05) | TOLD


@pytest.fixture(scope="module")
def calls() -> dict[str, Any]:
    """The plan of plain calls."""
    return of_calls(chosen_from({"ports": 8}, "plain", 1), 6, half=0.1, least=500) | TOLD


@pytest.mark.parametrize("name", ["carrier", "calls"])
def test_a_plan_matches_the_schema(name: str, request: pytest.FixtureRequest) -> None:
    """Which other programs validate with."""
    PlanResults.model_validate(request.getfixturevalue(name), by_alias=True)


@pytest.mark.parametrize("name", ["carrier", "calls"])
def test_the_page_has_the_answer_and_every_table(name: str, request: pytest.FixtureRequest) -> None:
    """In one file without a script, below the budget, and the same for the same plan."""
    plan = request.getfixturevalue(name)
    page = plan_page(plan)
    text = html.unescape(re.sub(r"<[^>]*>", " ", page))

    assert answer(plan) in text
    for row in plan["theory"]:
        assert row["model"] in text
    assert len(page.encode()) < BUDGET
    assert "<script" not in page
    assert page == plan_page(plan)


def test_the_page_has_simulation_and_formulas_in_one_figure(carrier: dict[str, Any]) -> None:
    """A bar for each."""
    page = plan_page(carrier)
    picture = page[page.index("<figure>") : page.index("</figure>")]

    for name in ("simulation", "Erlang B", "Hayward (bursts)"):
        assert name in picture
    assert share(carrier["refused_share"]) in picture


@pytest.mark.parametrize(("workload", "load"), [("subscribers", {"subscribers": 16.0}), ("trace", {})])
def test_points_on_the_wire_stand_beside_the_core(
    carrier: dict[str, Any], workload: str, load: dict[str, float]
) -> None:
    """The wire differs from what was foreseen, and the figure before it is the core's of the same attempts."""
    shares = {"the plan's simulation": 0.5, "foreseen": 0.1, "core": 0.12, "wire": 0.13}
    beside = [{"figure": name, "refused_share": of, "interval": [0.1, 0.2]} for name, of in shares.items()]
    row = {**load, "verdict": "pass", "beside": beside, "difference": 0.03}
    page = plan_page(carrier | {"workload": workload, "checked": [row, {**row, "beside": [], "verdict": "error"}]})
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())

    assert f"{load.get('subscribers', 'all of it')} 10 % 12 % 13 % 10 % to 20 % +3.00 %" in text
    assert f"{load.get('subscribers', 'all of it')} error" in text


def test_a_text_of_any_origin_is_no_markup(calls: dict[str, Any]) -> None:
    """A class that is named by a trace may have any name."""
    evil = "<script>alert(1)</script>"
    page = plan_page(calls | {"classes": [{**calls["classes"][0], "name": evil}] * 2})

    assert evil not in page
    assert html.escape(evil) in page


def test_a_folder_with_a_plan_is_listed_read_and_exported(carrier: dict[str, Any], tmp_path: Path) -> None:
    """As those of runs are."""
    import json

    Folder(tmp_path).write_text("plan.json", json.dumps(carrier))
    kept, found = kept_in(tmp_path), read(tmp_path)
    exported = tables(found.kind, found.one)

    assert (kept.kind, kept.title, kept.verdict) == ("plan", "plan for subscribers", "pass")
    assert found.one == json.loads(json.dumps(carrier))
    assert [row["name"] for row in exported["classes.csv"]] == ["light", "typical", "heavy"]
    assert exported["plan.csv"][0]["refused"] == carrier["refused"]
    assert {row["kind"] for row in exported["log.csv"]} == {"mappings", "deterministic"}
    assert len(exported["needed.csv"]) == len(carrier["needed"]["tried"])


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 %"), (0.06037, "6.04 %"), (0.00042, "0.042 %"), (1e-90, "less than 0.0001 %"), (1, "100 %")],
)
def test_a_share_has_three_digits_that_mean_something(value: float, words: str) -> None:
    """In percent."""
    assert share(value) == words
