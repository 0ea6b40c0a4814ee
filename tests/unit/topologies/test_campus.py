"""The topology campus: its access switches, and the gateway's port for each."""

from __future__ import annotations

import pytest

from controller.nat.model import Side
from topologies.campus import Campus


@pytest.mark.parametrize(("clients", "switches"), [(8, 4), (192, 4), (193, 5)])
def test_a_campus_has_an_access_switch_for_48_clients(clients: int, switches: int) -> None:
    """It has four access switches at least, and the gateway one inside port for each."""
    campus = Campus(clients=clients)

    assert [i.side for i in campus.wiring["gateway"]] == [Side.INSIDE] * switches + [Side.OUTSIDE] * 2
    assert len(campus.clients) == clients
    assert set(campus.behind.values()) == {"gateway"}
