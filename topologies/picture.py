"""What a picture of a network shows: its places with their addresses, and the links between them.

It is made from the topology's own wiring and address plan, so it cannot differ from what is built. The clients
behind one gateway, or at one switch, are one place however many they are: their first names and the last, and
their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from controller.wiring import Side
from topologies.base import Topology
from topologies.network.hosts import AccessSwitch, Router

FIRST_FEW = 3
"""The number of names, or of addresses, that are shown before the last one."""

Kind = Literal["clients", "switch", "nat", "router", "server", "host"]


IN_JSON = Field(strict=False)
"""JSON has lists, and no tuples."""
Link = Annotated[tuple[str, str], IN_JSON]


class Place(BaseModel):
    """A node of the network, or all clients at one place."""

    model_config = ConfigDict(strict=True, frozen=True)

    name: str
    kind: Kind
    lines: Annotated[tuple[str, ...], IN_JSON] = Field((), description="names and addresses")
    count: int = Field(default=1, ge=0, description="the number of hosts for which it stands")


class Picture(BaseModel):
    """The network, as far as a picture shows it."""

    model_config = ConfigDict(strict=True, frozen=True)

    places: Annotated[tuple[Place, ...], IN_JSON]
    links: Annotated[tuple[Link, ...], IN_JSON] = Field(description="pairs of places' names")


def picture(built: Topology, external: Sequence[Any]) -> Picture:
    """Return the picture of a network; `external` are the addresses of the NATs that have none of their own."""
    groups: dict[str, list[str]] = {}
    clients = {*built.clients}
    neighbours: dict[str, list[str]] = {name: [] for name in built.g.nodes()}
    for one, other in built.links():
        neighbours[one].append(other)
        neighbours[other].append(one)
    for client in built.clients:
        for place in neighbours[client][:1]:
            groups.setdefault(place, []).append(client)
    places = [
        Place(name=_of(place), kind="clients", lines=_members(built, names), count=len(names))
        for place, names in groups.items()
    ]
    shown = [name for name in built.g.nodes() if name not in clients]
    places += [_place(built, name, built.external.get(name, external)) for name in shown]
    links = [(_of(place), place) for place in groups]
    links += [(one, other) for one, other in built.links() if not {one, other} & clients]
    return Picture(places=tuple(places), links=tuple(links))


def _of(place: str) -> str:
    return f"clients at {place}"


def _members(built: Topology, names: Sequence[str]) -> tuple[str, ...]:
    return _few([f"{name} {', '.join(_few([*map(str, built.addresses[name])]))}" for name in names])


def _place(built: Topology, name: str, external: Iterable[Any]) -> Place:
    if name in built.wiring:
        sides = {
            side: dict.fromkeys(str(each.address.ip) for each in built.wiring[name] if each.side is side)
            for side in Side
        }
        lines = [f"{side.value} {', '.join(_few([*found]))}" for side, found in sides.items() if found]
        return Place(name=name, kind="nat", lines=(*lines, f"external {_ranged([*map(str, external)])}"))
    if name in built.servers:
        return Place(name=name, kind="server", lines=_few([*map(str, built.addresses[name])]))
    known = built.nodeInfo(name)
    own = [address.partition("/")[0] for address in known.get("interfaces", {}).values()]
    return Place(name=name, kind=_kind(known.get("cls")), lines=_few(own))


def _kind(cls: object) -> Kind:
    if isinstance(cls, type) and issubclass(cls, AccessSwitch):
        return "switch"
    return "router" if isinstance(cls, type) and issubclass(cls, Router) else "host"


def _few(texts: Sequence[str]) -> tuple[str, ...]:
    """Return a list as a reader needs it: all of it if it is short, and else the first few and the last."""
    return tuple(texts) if len(texts) <= FIRST_FEW + 1 else (*texts[:FIRST_FEW], "...", texts[-1])


def _ranged(addresses: Sequence[str]) -> str:
    few = len(addresses) <= FIRST_FEW
    return ", ".join(addresses) if few else f"{addresses[0]} to {addresses[-1]} ({len(addresses)})"
