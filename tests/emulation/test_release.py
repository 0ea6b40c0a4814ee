"""The scenario release on the real thing: when a port comes back, by how its connection ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run

LIARS = Path(__file__).parent / "files" / "lying_gateways.py"


@pytest.mark.parametrize(
    "settings",
    [("tcp_rst_timeout=1",), ("tcp_rst_timeout=1", "hold_down_timeout=6", "ports=7")],
    ids=["default", "hold-down"],
)
def test_each_port_comes_back_when_its_timer_says(run: Run, settings: tuple[str, ...]) -> None:
    """Not before it, and soon after it; a hold-down keeps back the ports of UDP, and not those of TCP."""
    sets = [word for setting in settings for word in ("--set", setting)]
    finished = run("run", "release", *sets, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    back = {row["ending"]: row["seconds"] for row in finished.result["series"]["port_back"]}
    assert back["reset"] < back["close"] < back["silence"]
    assert min(back["udp"]) > (6 + 3 if "ports=7" in settings else 3)


@pytest.mark.parametrize(
    ("gateway", "settings", "red"),
    [
        ("Hasty", (), "after an orderly close"),
        ("Clinging", (), "after a RST"),
        ("Careless", ("hold_down_timeout=4",), "after the last UDP datagram"),
        ("Careless", (), "after one side's close, while the other is gone"),
    ],
    ids=["too early", "too late", "no hold-down", "half-closed is not closed"],
)
def test_a_port_that_comes_back_at_another_time_is_noticed(
    run: Run, gateway: str, settings: tuple[str, ...], red: str
) -> None:
    """Too early and too late turn the check of that ending red."""
    sets = [word for setting in settings for word in ("--set", setting)]
    finished = run("run", "release", *sets, "--gateway", f"{LIARS}:{gateway}", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    failed = [check["claim"] for check in finished.result["checks"] if not check["ok"]]
    assert any(claim.startswith(red) for claim in failed), failed
