"""Answers that come to another client than the one that asked, and when that is nobody's fault."""

from __future__ import annotations

import pytest

from testbed.evidence.strays import Read, inherited
from tests.support.evidence import EXTERNAL, MIRROR, SERVER, seen

ALICE, BOB = 1, 2


@pytest.mark.parametrize(
    ("bob_at", "came_at", "excused"),
    [(20.0, 25.0, True), (20.0, 19.5, True), (20.0, 15.0, False), (5.0, 15.0, False)],
    ids=["later", "while the server was late", "before that", "after an earlier user"],
)
def test_a_late_answer_comes_to_the_next_user_of_its_endpoint(
    bob_at: float, came_at: float, excused: bool
) -> None:
    """Bob has had her endpoint since `bob_at`, and the server's answer to alice comes at `came_at`."""
    sightings = [seen(ALICE, 10.0, 11.0, protocol="udp"), seen(BOB, bob_at, 30.0, protocol="udp")]
    answer = Read(ALICE, ("udp", EXTERNAL, SERVER), came_at)

    assert inherited([answer], sightings, {}) == ([answer] if excused else [])


@pytest.mark.parametrize(("syns", "excused"), [([9.0], False), ([9.0, 14.0], True), ([9.0, 30.0], False)])
def test_over_tcp_the_next_user_is_known_by_its_syn(syns: list[float], excused: bool) -> None:
    """The server's kernel may never show it to the server."""
    answer = Read(ALICE, ("tcp", EXTERNAL, SERVER), 15.0)
    on_wire = {(EXTERNAL, SERVER): [(number, at) for number, at in enumerate(syns)]}

    assert inherited([answer], [seen(ALICE, 10.0, 11.0)], on_wire) == ([answer] if excused else [])


def test_the_next_user_toward_another_server_excuses_nothing() -> None:
    """A port may serve several destinations."""
    sightings = [seen(ALICE, 10.0, 11.0, protocol="udp"), seen(BOB, 12.0, 30.0, protocol="udp", target=MIRROR)]

    assert not inherited([Read(ALICE, ("udp", EXTERNAL, SERVER), 15.0)], sightings, {})


def test_an_answer_to_a_client_that_no_server_saw_is_never_excused() -> None:
    """No server can have sent it."""
    assert not inherited(
        [Read(ALICE, ("udp", EXTERNAL, SERVER), 15.0)], [seen(BOB, 12.0, 30.0, protocol="udp")], {}
    )
