"""How a reader meets the checks that follow every scenario."""

from __future__ import annotations

from typing import Any

from testbed.evidence.findings import CLAIMS
from testbed.evidence.matching import Matched
from testbed.experiment import bounds, port_orders, transfers
from testbed.experiment.frames import Findings, checks
from testbed.experiment.judged import JUDGED, in_short


def check(key: str, *, ok: bool = True) -> dict[str, Any]:
    """Return a check."""
    return {"key": key, "claim": key, "expected": 0, "observed": 0, "ok": ok, "source": "arithmetic"}


def test_what_holds_is_one_row_after_the_scenarios_own() -> None:
    """With their number, so that none is missing unnoticed."""
    *shown, row = in_short([check("own"), check("leaks"), check("sharing"), check("another")])

    assert [each["key"] for each in shown] == ["own", "another"]
    assert (row["expected"], row["observed"], row["ok"]) == (2, 2, True)


def test_what_failed_is_shown_as_any_other_check() -> None:
    """Also if all failed: then there is no row."""
    red = check("leaks", ok=False)

    assert in_short([red, check("sharing")])[0] == red
    assert in_short([red]) == [red]


def test_the_keys_are_those_of_the_judges() -> None:
    """A judge that is not among them would have a row of its own, and a scenario could take its key."""
    frames = {each.key for each in checks(Findings(trains=[Matched()], unsent=0))}

    assert {"leaks", "sharing", *CLAIMS, transfers.KEY, bounds.KEY, port_orders.KEY, *frames} == set(JUDGED)
