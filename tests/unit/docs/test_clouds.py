"""The table of clouds in lab 5 has what their profiles have."""

from __future__ import annotations

import pytest

from controller.settings.profiles import CLOUDS, EXPLAINED
from tests.support.paths import ROOT

SHEET = (ROOT / "docs" / "labs" / "05-timers.md").read_text()
KEYS = (
    ("tcp_idle_timeout",),
    ("udp_timeout",),
    ("hold_down_fin_timeout", "tcp_trans_close_timeout"),
    ("hold_down_rst_timeout", "tcp_rst_timeout"),
    ("subscriber_ports",),
    ("limit_sessions_per_destination",),
)
"""The setting of each column; the second counts where the profile has not the first."""


def cells(name: str) -> list[str]:
    """Return what a profile's row has to have. A star marks what its vendor does not publish."""
    profile = EXPLAINED[name]
    first_of = [next((key for key in keys if key in profile.settings), "") for keys in KEYS]
    return [f"{profile.settings[key]:,}" + "*" * (key in profile.assumed) if key else "" for key in first_of]


@pytest.mark.parametrize("name", CLOUDS)
def test_the_table_has_what_the_profile_has(name: str) -> None:
    """Value by value, with the stars."""
    (row,) = (line for line in SHEET.splitlines() if line.startswith(f"| `{name}` |"))

    assert [cell.strip() for cell in row.split("|")[2:-1]] == cells(name)
