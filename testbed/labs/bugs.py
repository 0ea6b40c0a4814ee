"""Bugs that a NAT may have, for lab 9: each is the same NAT with another setting than its data sheet has.

They are data, so that the core and the wire have the same ones. `really` makes the settings by which the NAT
works, from those that it declares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.settings import Settings

FILE = '''"""The NAT that is examined: number {number}."""

from testbed.labs.suspects import suspect

Nat = suspect({number}, __name__)
'''
Changed = Callable[[Settings], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong, in words for the instructor, and the settings that make it so."""

    what: str
    really: Changed


BUGS: dict[str, tuple[Bug, ...]] = {
    "finds-ports": (
        Bug("never gives its last port", lambda own: {"ports": own.port_count - 1}),
        Bug("gives half of its ports only", lambda own: {"ports": own.port_count // 2}),
        Bug("gives a port that is not its own", lambda own: {"ports": own.port_count + 1}),
    ),
    "finds-quota": (
        Bug("has no quota", lambda _: {"port_quota": None}),
        Bug("grants one port more than the quota", lambda own: {"port_quota": (own.port_quota or 0) + 1}),
        Bug("grants one port less than the quota", lambda own: {"port_quota": (own.port_quota or 2) - 1}),
    ),
    "finds-mapping": (
        Bug("takes another port for another address", lambda _: {"mapping_type": "adm"}),
        Bug("takes another port for another port of the same server", lambda _: {"mapping_type": "edm"}),
    ),
    "finds-filtering": (
        Bug("lets everybody in", lambda _: {"filtering_type": "eif"}),
        Bug("lets in only the port that was sent to", lambda _: {"filtering_type": "edf"}),
    ),
    "finds-timer": (
        Bug("forgets a UDP mapping in half the time", lambda own: {"udp_timeout": own.udp_timeout / 2}),
        Bug("keeps a UDP mapping for twice the time", lambda own: {"udp_timeout": own.udp_timeout * 2}),
        Bug("lets packets from outside keep a UDP mapping", lambda _: {"refresh_inbound": True}),
    ),
    "finds-refusal": (
        Bug("drops in silence what it refuses", lambda _: {"on_exhaustion": "drop"}),
        Bug("resets the connections that it refuses", lambda _: {"on_exhaustion": "reset"}),
        Bug("ends the least recently used mapping for a newcomer", lambda _: {"on_exhaustion": "evict-lru"}),
    ),
    "finds-release": (
        Bug("keeps the port of a closed connection ten times as long", lambda own: _closing(own, 10)),
        Bug("gives the port of a closed connection again at once", lambda own: _closing(own, 0.05)),
    ),
}
"""By the requirement that a check meets which finds all of them."""

ON_THE_WIRE = (
    *BUGS["finds-ports"][:2],
    *BUGS["finds-quota"][:2],
    *BUGS["finds-refusal"][:2],
)
"""The bugs of which each student meets one on the wire: the variant's number `suspect` counts from 1."""


def as_file(number: int) -> str:
    """Return a module with the NAT that has the bug of this number; 0 is one without a bug."""
    return FILE.format(number=number)


def _closing(own: Settings, times: float) -> dict[str, Any]:
    return {"tcp_trans_close_timeout": own.tcp_trans_close_timeout * times}
