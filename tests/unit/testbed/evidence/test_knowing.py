"""Which connections no server knows of, by the numbers of SYNs on the wire and by the servers' records."""

from __future__ import annotations

import dataclasses

import pytest

from testbed.evidence.knowing import Knowing, unknown
from testbed.evidence.witnesses import TcpWitness
from testbed.traffic.records import Attempt
from tests.support.evidence import EXTERNAL, MIRROR, SERVER, attempt, seen

WATCHED = {SERVER[0], MIRROR[0]}


def silent(nonce: int, sequence: int | None) -> Attempt:
    """Return an attempt that timed out; with a sequence number, on a connection that was made."""
    return dataclasses.replace(attempt(nonce, "timeout"), sequence=sequence)


@pytest.mark.parametrize(
    ("sequence", "target", "counts"),
    [
        (None, SERVER, False),
        (77, SERVER, False),
        (78, SERVER, True),
        (77, MIRROR, True),
        (78, ("192.0.2.9", 7), False),
    ],
    ids=["no connection", "its SYN came", "its SYN never came", "it came elsewhere", "to no server"],
)
def test_a_connection_whose_syn_never_came_is_unknown(
    sequence: int | None, target: tuple[str, int], counts: bool
) -> None:
    """The number is the client's own, whatever external endpoint the NAT gave it."""
    made = dataclasses.replace(silent(1, sequence), target=target)

    assert unknown([made], {(EXTERNAL, SERVER): [(77, 1.0)]}, WATCHED) == ({1} if counts else set())


def test_an_answer_of_which_the_server_knows_nothing_is_unanswered() -> None:
    """The gateway gave it, or had another server give it. Attempts elsewhere are not the server's to know."""
    sightings = [seen(1, 0.0, 1.0), seen(5, 0.0, 1.0, target=MIRROR)]
    knowing = Knowing(TcpWitness([], "eth0"), lambda: sightings, WATCHED, {SERVER})
    elsewhere = dataclasses.replace(attempt(3), target=("198.51.100.2", 9))

    settled = knowing.settle([attempt(1), attempt(2), elsewhere, attempt(4, "timeout"), attempt(5)])

    assert settled == [attempt(1), attempt(2), elsewhere, attempt(4, "timeout"), attempt(5)]
    assert knowing.unanswered() == {2, 5}


def test_without_a_wire_to_read_a_silent_connection_is_as_its_host_saw_it() -> None:
    """Nobody can know whether its SYN came."""
    knowing = Knowing(TcpWitness([], "eth0"), list, WATCHED, {SERVER})

    assert knowing.settle([silent(1, 77)]) == [silent(1, 77)]
    assert knowing.unanswered() == set()
