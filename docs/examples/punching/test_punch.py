"""The tests of `punch.py`: do its peers meet behind each of nine pairs of NATs?

    sudo env PYTHONPATH=/path/to/lastport pytest docs/examples/punching

Three kinds of NAT are what people call full cone, port-restricted and symmetric. Hole punching fails where the one
side takes a new port for each destination, and the other lets in only an endpoint that it has sent to.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest_plugins = ["lastport_pytest"]

PUNCH = [sys.executable, str(Path(__file__).with_name("punch.py"))]
KINDS = {"full-cone": ("eim", "eif"), "port-restricted": ("eim", "edf"), "symmetric": ("edm", "edf")}
FAILS = {("port-restricted", "symmetric"), ("symmetric", "port-restricted"), ("symmetric", "symmetric")}


@pytest.mark.parametrize("bob", KINDS)
@pytest.mark.parametrize("alice", KINDS)
def test_peers_meet(nat, alice, bob) -> None:
    """They meet, or do not, as RFC 5128 says of these two NATs."""
    mapping, filtering = KINDS[bob]
    other = {"gateway-b.mapping_type": mapping, "gateway-b.filtering_type": filtering}
    mapping, filtering = KINDS[alice]
    with nat(mapping=mapping, filtering=filtering, topology="two-homes", clients=2, **other) as lab:
        lab.start("server", [*PUNCH, "serve"]).wait_for("ready")
        both = [lab.start(*each) for each in peers()]
        met = [peer.wait().status == 0 for peer in both]

    assert met == [(alice, bob) not in FAILS] * 2


def peers() -> list[tuple[str, list[str]]]:
    """Return both peers: the host, and the command."""
    return [
        ("alice", [*PUNCH, "meet", "alice", "bob", "server"]),
        ("bob", [*PUNCH, "meet", "bob", "alice", "server"]),
    ]
