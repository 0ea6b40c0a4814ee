"""Transfers in every run: which clients have one, and what is said of the others."""

from __future__ import annotations

import socket
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.experiment.transfers import MOST_CLIENTS, carried, unseen
from testbed.traffic.records import Attempt, Sent
from testbed.traffic.transfer import Carried


def lab(clients: int, asked: list[list[str]], had: int = 0, seed: int = 1) -> Any:
    """Return a lab of clients, of which the first `had` have a transfer. `asked` gets the hosts of each order."""

    def transfer(*, size: int, hosts: list[str]) -> list[Sent]:
        asked.append(list(hosts))
        return [Sent("tcp", attempt(place), size, 0, 0.1, passes=True) for place in range(had)]

    names = [f"h{place}" for place in range(clients)]
    return SimpleNamespace(
        seed=seed,
        clients=[SimpleNamespace(netns=f"/{name}") for name in names],
        topology=SimpleNamespace(clients=names, behind={}, sources=lambda place: [f"10.0.0.{place + 1}"]),
        senders=[SimpleNamespace(transfer=transfer)],
        receivers=[],
        pairs=[],
        is_raw=not had,  # with raw packets, no connection can be made
    )


def attempt(place: int) -> Attempt:
    """Return an established attempt of a client, by its place."""
    server = ("198.51.100.1", 7)
    source, seen = (f"10.0.0.{place + 1}", 5), ("192.0.2.1", 1024 + place)
    return Attempt(place + 1, place + 1, "established", "", source, seen, server, 0.0, 0.1, 0)


def test_each_client_has_a_transfer_or_a_share_of_them_drawn_by_the_seed() -> None:
    """A NAT that does not keep older connections is asked for the newest alone."""
    asked: list[list[str]] = []
    for clients, seed, keeps in ((3, 1, True), (40, 1, True), (40, 1, True), (40, 2, True), (40, 1, False)):
        carried(lab(clients, asked, had=1, seed=seed), 1500, keeps=keeps)

    few, many, again, others, none = asked
    assert sorted(few) == ["/h0", "/h1", "/h2"]
    assert len(set(many)) == MOST_CLIENTS
    assert many == again != others
    assert none == []


@pytest.mark.parametrize(
    ("clients", "had", "named"),
    [(3, 3, []), (3, 2, ["h2"]), (9, 1, ["h1, h2, h3, h4 and 4 more"]), (3, 0, [])],
    ids=["all", "one not", "most not", "none"],
)
def test_clients_without_a_transfer_are_named(clients: int, had: int, named: list[str]) -> None:
    """Without any transfer another sentence says so."""
    chosen = lab(clients, [], had)
    done: list[Carried] = carried(chosen, 1500)

    assert [each.why for each in unseen(chosen, done)] == [f"no connection was used of {names}" for names in named]


def test_a_connection_that_is_open_no_more_has_no_transfer() -> None:
    """A NAT that gives one endpoint to two clients has connections reset. A connection beside it has one."""
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(2):
            client = socket.create_connection(listener.getsockname())
            connections.append((client, listener.accept()[0]))
    (reset, far), (client, server) = connections
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    with pytest.raises(ConnectionResetError):
        reset.recv(1)
    mine = lab(1, [])
    mine.pairs = [(reset, far), (client, server)]

    (done,) = carried(mine, 1500, keeps=True)

    assert (done.wrong, done.source) == (0, "{}:{}".format(*client.getsockname()))
    for each in (reset, client, server):
        each.close()
