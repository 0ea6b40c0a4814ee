"""The tests of `ice_peer.py`: do two peers connect behind each of nine pairs of NATs, by STUN alone?

    sudo apt-get install python3-aioice
    sudo env PYTHONPATH=/path/to/lastport pytest docs/examples/ice

A pair in which one NAT is symmetric, and the other lets in only an endpoint that was sent to, needs a relay.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("aioice")
pytest_plugins = ["lastport_pytest"]

PEER = [sys.executable, str(Path(__file__).with_name("ice_peer.py"))]
KINDS = {"full-cone": ("eim", "eif"), "port-restricted": ("eim", "edf"), "symmetric": ("edm", "edf")}
NEED_A_RELAY = {("port-restricted", "symmetric"), ("symmetric", "port-restricted"), ("symmetric", "symmetric")}


@pytest.mark.parametrize("bob", KINDS)
@pytest.mark.parametrize("alice", KINDS)
def test_peers_connect(nat, alice, bob) -> None:
    """They connect where hole punching is possible, as RFC 5128 says of these two NATs."""
    mapping, filtering = KINDS[bob]
    other = {"gateway-b.mapping_type": mapping, "gateway-b.filtering_type": filtering}
    mapping, filtering = KINDS[alice]
    with nat(mapping=mapping, filtering=filtering, topology="two-homes", clients=2, **other) as lab:
        lab.start("server", [*PEER, "serve"]).wait_for("ready")
        both = [lab.start(host, [*PEER, role, "server"]) for host, role in (("alice", "call"), ("bob", "answer"))]
        done = [peer.wait() for peer in both]

    assert [each.status == 0 for each in done] == [(alice, bob) not in NEED_A_RELAY] * 2, done
