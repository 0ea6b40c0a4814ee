"""What the page shows of a run besides its recording: the network with its hosts' names, and the settings.

It comes from a plan or from `results.json`, which any program may have written. So nothing that it names is
imported unless it is one of the topologies of this project.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from controller.wiring import Interface, Side
from testbed.experiment.plan import Run, network_of_size
from testbed.registry import TOPOLOGIES, load

SHOWN = ("scenario", "gateway", "topology", "profile", "seed", "verdict", "started", "network")
MOST_HOSTS = 4096
"""The most clients whose names are shown: the topology is described once more for them."""


def about_plan(plan: Run) -> dict[str, Any]:
    """Return what the page shows of a run that is about to begin."""
    parts = {"parameters": plan.described(), "settings": plan.settings_by_gateway()}
    return about({**plan.model_dump(mode="json"), **parts})


def about(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a run, by its results or what of them is known so far."""
    parameters, settings = (_object(run.get(name)) for name in ("parameters", "settings"))
    return {
        **{name: run[name] for name in SHOWN if run.get(name) is not None},
        "command": _typed(run.get("command")),
        "chosen": _object(run.get("chosen")),
        "parameters": {key: value for key, value in parameters.items() if key not in settings},
        "settings": settings,
        **_network(str(run.get("topology", "")), parameters, str(run.get("gateway", ""))),
    }


def _typed(command: Any) -> str:
    """Return the command of a run, as a shell reads it."""
    words = command if isinstance(command, list) else []
    return shlex.join(["lastport", *map(str, words)]) if words else ""


def _object(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _network(name: str, parameters: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the drawing of a topology, the names of its hosts by their addresses, and its gateways."""
    clients = parameters.get("clients")
    if name not in TOPOLOGIES or not isinstance(clients, int) or not 0 < clients <= MOST_HOSTS:
        return {}
    try:
        topology = load("topology", name)
        built = topology(**network_of_size(parameters))
    except Exception:  # whatever a stranger's results say, the page shows the rest
        return {}
    sources = {address: host for number, host in enumerate(built.clients) for address in built.sources(number)}
    servers = {str(address): host for host in built.servers for address in built.addresses[host]}
    gateways = [
        {
            "name": gateway,
            "kind": kind,
            "inside": _on(interfaces, Side.INSIDE),
            "outside": _on(interfaces, Side.OUTSIDE),
            "external": ", ".join(map(str, built.external.get(gateway, []))) or "by the settings",
        }
        for gateway, interfaces in built.wiring.items()
    ]
    drawn = sys.modules[topology.__module__].__doc__ or ""
    return {"hosts": {**sources, **servers}, "gateways": gateways, "drawing": drawn.strip()}


def _on(interfaces: Iterable[Interface], side: Side) -> str:
    """Return a gateway's addresses on a side, each once."""
    return ", ".join(dict.fromkeys(str(each.address) for each in interfaces if each.side is side))
