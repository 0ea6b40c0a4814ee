"""Gateways that declare one thing falsely, and work as ever: every declared fact must be one that a check tries.

For each fact and each gateway a class, named after both: `openflow_mapping`. What becomes of a connection that
finds no port is a fact of several parts, each with a lie of its own: `openflow_ports_exhausted_evicts`.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from controller.settings import Settings
from testbed.registry import ours
from topologies.gateways.base import Gateway
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion

TOLD = Exhaustion(dict.fromkeys(("tcp", "udp", "icmp"), "icmp"))

LIES: dict[str, Any] = {
    "mapping": {"eim": "edm", "adm": "eim", "edm": "eim"},
    "filtering": {"eif": "adf", "adf": "edf", "edf": "adf"},
    "overlapping": {"off": "endpoint", "address": "off", "endpoint": "off"},
    "pooling": {"paired": "arbitrary", "arbitrary": "paired"},
    "finds_every_port_of": lambda found: 64_512 if found == 128 else 128,
    "keeps_source_port": {True: False, False: True},
    "fills_every_address": {True: False, False: True},
    "ports_exhausted": lambda _: TOLD,
    "state_exhausted": lambda _: TOLD,
    "icmp_identifiers": {"pool": "kept", "kept": "pool"},
    "port_back": lambda back: {ending: (0.0, 0.0) if least else (3.0, 3.0) for ending, (least, _) in back.items()},
}
"""What is declared instead of the truth, by the truth."""
PARTS: dict[str, Any] = {"evicts": "lru", "holds": True, "after": 3.0}
"""The same of parts of `ports_exhausted`, whatever the truth."""


def perjurer(name: str, gateway: type[Gateway], fact: str, lie: Any) -> type[Gateway]:
    """Return a gateway like this one, but for one fact."""

    def declare(cls: type[Gateway], settings: Settings, options: Any) -> Behaviour:
        told: Behaviour = super(made, cls).declare(settings, options)  # type: ignore[misc]
        truth = getattr(told, fact).value
        return dataclasses.replace(
            told, **{fact: Entry(lie(truth) if callable(lie) else lie[truth], "its own word", "never")}
        )

    made = type(name, (gateway,), {"declare": classmethod(declare), "__module__": __name__})
    return made


for gateway, cls in ours("gateway").items():
    lies = {fact: (fact, lie) for fact, lie in LIES.items()}
    for part, value in PARTS.items():
        lies[f"ports_exhausted_{part}"] = "ports_exhausted", partial(dataclasses.replace, **{part: value})
    for word, (fact, lie) in lies.items():
        name = f"{gateway}_{word}".replace("-", "_")
        globals()[name] = perjurer(name, cls, fact, lie)
