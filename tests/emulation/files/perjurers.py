"""Gateways that declare one fact falsely, and work as ever. Some check must notice each of these.

There is a class for each gateway and fact, named after both, such as `openflow_mapping`. What becomes of a
connection that finds no port is a fact of several parts. Each has a lie of its own, such as
`openflow_ports_exhausted_evicts`.
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
    "passes_challenges": {True: False, False: True},
    "clashes": {True: False, False: True},
    "port_order": {"random": "sequential", "search": "sequential"},
    "port_back": lambda back: {ending: (0.0, 0.0) if least else (3.0, 3.0) for ending, (least, _) in back.items()},
}
"""What is declared in place of the truth, for each fact and true value."""
PARTS: dict[str, Any] = {"evicts": "lru", "holds": True, "after": 3.0}
"""What is declared of each part of `ports_exhausted`, whatever the truth."""


def perjurer(name: str, gateway: type[Gateway], fact: str, lie: Any) -> type[Gateway]:
    """Return a class like this gateway that declares one fact falsely."""

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
