"""The scenario path-mtu on the real thing: packets that the link outside has no room for."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

BLACK_HOLE = f"{FILES / 'broken_linux.py'}:BlackHole"


@pytest.mark.deep
@pytest.mark.parametrize(
    "chosen",
    [("--gateway", "openflow"), ("--gateway", "netfilter"), ("--topology", "home")],
    ids=["openflow", "netfilter", "no router between"],
)
def test_the_sender_is_told_and_tcp_adapts(run: Run, chosen: tuple[str, ...]) -> None:
    """By the NAT's own inside address, and with the room of the link."""
    finished = run("run", "path-mtu", *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.deep
def test_a_black_hole_is_found_out(run: Run) -> None:
    """Mutation: the NAT drops what is too large, and tells nobody."""
    finished = run("run", "path-mtu", "--gateway", BLACK_HOLE, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert {"the error about it", "bytes of a transfer that do not arrive"} <= set(finished.failed)
