"""The settings on a report's page: an option of the gateway has a meaning, and stands back if it is as usual."""

from __future__ import annotations

import pytest

from testbed.report.settings import rows


def run(gateway: str, **options: object) -> dict[str, object]:
    """Return results of a run with options of its gateway, of which `app` was chosen."""
    return {"scenario": "release", "gateway": gateway, "chosen": {"app": ["nat.py"]}, "parameters": options}


def test_an_option_of_a_gateway_has_its_meaning_and_is_usual_at_its_default() -> None:
    """As settings are. What was chosen comes first."""
    telling, usual = rows(run("app", controller=None, promised=[], app=["nat.py"], app_config="nat.ini"), 80)

    assert [(row.key, row.is_chosen) for row in telling] == [("app", True), ("app_config", False)]
    assert telling[0].meaning.startswith("a Ryu or os-ken application")
    assert [row.key for row in usual] == ["controller", "promised"]


@pytest.mark.parametrize("gateway", ["mine.py:Mine", "a-gateway-of-later"])
def test_an_option_of_a_gateway_that_is_not_ours_is_a_row_without_meaning(gateway: str) -> None:
    """No file that results name is imported."""
    telling, usual = rows(run(gateway, speed=3), 80)

    assert [(row.key, row.value, row.meaning) for row in telling] == [("speed", "3", "")]
    assert not usual
