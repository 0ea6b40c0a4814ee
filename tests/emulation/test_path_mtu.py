"""The scenario path-mtu on the real thing: packets that the link outside has no room for."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

BLACK_HOLE, DEAF = (f"{FILES / 'broken_linux.py'}:{name}" for name in ("BlackHole", "Deaf"))


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


@pytest.mark.deep
def test_a_nat_that_drops_the_errors_of_routers_further_on_is_found_out(run: Run) -> None:
    """Mutation: it tells of its own link, and not of theirs (RFC 5508 REQ-3)."""
    finished = run("run", "path-mtu", "--gateway", DEAF, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.failed == ["the room of a router further on, as the client's kernel knows it"]
