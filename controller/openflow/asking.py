"""What the controller is asked besides its gauges, by somebody at a prompt: its table, and changes of it.

A question is a line of JSON on the telemetry's socket, and these are its keys. The answer's keys are added to the
gauges, which tell what came of it.

    "flush": true           every mapping ends
    "table": SELECTION      "rows": mappings, up to "most" of them; "total": the number of all that are selected
    "release": SELECTION    the selected mappings end; "released": their number
    "settings": {...}       these are followed from now on; "stays": whether all mappings are still there; or
                            "refused": why a stranger's allocator cannot follow them

A selection has "inside", a list of addresses, and "protocol" and "external", for one external endpoint. What it
does not have is not asked for.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Any

from controller.nat.model import Endpoint, Mapping, Protocol
from controller.openflow.router import Router
from controller.settings import ConfigurationError, Settings

MOST_PEERS = 3
"""The most remote endpoints of a mapping that are named."""


def answer(router: Router, question: dict[str, Any], now: float) -> dict[str, Any]:
    """Do what a question asks for, and return what is to be answered."""
    told: dict[str, Any] = {}
    if "flush" in question:
        router.flush(now)
    if "table" in question:
        found = list(selected(router, **question["table"]))
        most = question.get("most", len(found))
        told |= {"rows": [row(each, now) for each in itertools.islice(found, most)], "total": len(found)}
    if "release" in question:
        ending = [each for each in selected(router, **question["release"]) if not each.is_static]
        router.release(ending, now)
        told["released"] = len(ending)
    if "settings" in question:
        settings = Settings.model_validate(question["settings"])
        try:
            settings.for_nat()  # a stranger's allocator is tried with other ports
        except ConfigurationError as error:
            return {**told, "refused": str(error)}
        told["stays"] = router.change(settings, now)
    return told


def selected(
    router: Router, *, inside: list[str] | None = None, protocol: str = "", external: str = ""
) -> Iterator[Mapping]:
    """Yield the mappings of some inside addresses, or of one external endpoint; by default all."""
    addresses = None if inside is None else {int(ipaddress.IPv4Address(each)) for each in inside}
    wanted = Protocol[protocol.upper()] if protocol else None
    endpoint = Endpoint.parse(external) if external else None
    for mapping in router.nat.mappings():
        if (
            (addresses is None or mapping.internal.address in addresses)
            and wanted in (None, mapping.protocol)
            and endpoint in (None, mapping.external)
        ):
            yield mapping


def row(mapping: Mapping, now: float) -> dict[str, Any]:
    """Return what is known of a mapping. Its last use is as old as the last reading of its packet counts."""
    states = dict.fromkeys(flow.connection.state.value for flow in mapping.flows if flow.connection is not None)
    peers = [str(flow.peer) for flow in mapping.flows if flow.peer]
    more = [f"and {len(peers) - MOST_PEERS} more"] if len(peers) > MOST_PEERS else []
    return {
        "protocol": mapping.protocol.name.lower(),
        "inside": str(mapping.internal),
        "external": str(mapping.external),
        "remote": ", ".join([*peers[:MOST_PEERS], *more]) or "any",
        "state": "static" if mapping.is_static else ", ".join(states),
        "idle": None if mapping.is_static else round(now - mapping.last_use, 1),
    }
