"""What words at the prompt look at: hosts by their names, the NAT of each, and what NATs have counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.recording import PROTOCOLS
from controller.settings import Settings
from testbed.experiment.counters import DROPPED
from testbed.experiment.experiment import Experiment
from testbed.recording.words import in_words
from testbed.run.naming import label
from testbed.shell.events import Events
from testbed.shell.refused import RefusedError
from testbed.shell.standing import Standing
from topologies.gateways.base import Gateway
from topologies.gateways.by_hand import Row, Selection
from topologies.gateways.gauges import PortGauge

MOST_ROWS = 100
"""The most rows of a table that are printed."""
LATEST = 20
"""The number of events that `nat events` prints."""
STATES = ("allocated", "free", "resting", "held_down")
IN_WORDS = {"allocated": "in use", "held_down": "held down"}


def clients(x: Experiment[Any]) -> list[str]:
    """Return the names of the inside hosts."""
    return list(x.lab.topology.clients)


def hosts(x: Experiment[Any]) -> list[str]:
    """Return the names of all hosts."""
    return [*x.lab.topology.clients, *x.lab.topology.servers]


def place(x: Experiment[Any], name: str) -> int:
    """Return the place of an inside host among the clients. Raises RefusedError if it is none."""
    if name not in clients(x):
        raise RefusedError(f"{name} is no inside host; take one of {', '.join(clients(x))}")
    return clients(x).index(name)


def inside(x: Experiment[Any], name: str) -> list[str]:
    """Return the addresses that an inside host sends from. Raises RefusedError if it is none."""
    return list(x.lab.topology.sources(place(x, name)))


def gateway_of(x: Experiment[Any], name: str) -> str:
    """Return the name of the NAT that an inside host is behind."""
    place(x, name)
    return x.lab.topology.behind[name]


def differing(settings: Settings, gateway: Gateway) -> str:
    """Return the settings that are not those of such a NAT by default, in a line."""
    usual = Settings.model_validate(gateway.settings).model_dump(mode="json")
    found = {key: value for key, value in settings.model_dump(mode="json").items() if value != usual[key]}
    return ", ".join(f"{key}={written(value)}" for key, value in found.items()) or "all by default"


def written(value: Any) -> str:
    """Return a value as `nat set` takes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{', '.join(map(written, value))}]" if isinstance(value, list) else str(value)


def status(standing: Standing, x: Experiment[Any]) -> Iterator[str]:
    """Yield what each NAT is, what it has in use, and what it has refused."""
    for name, gateway in x.lab.gateways.items():
        yield f"{name} ({label(standing.plan.kind_of(name))})"
        yield f"  settings  {differing(standing.settings[name], gateway)}"
        counters = {protocol: gateway.counters(protocol) for protocol in PROTOCOLS}
        if not any(counters.values()):
            yield "  counters  it has none that could be read"
            continue
        used = {protocol: each.get("ports_allocated") for protocol, each in counters.items()}
        in_use = ", ".join(f"{number:,} {protocol}" for protocol, number in used.items() if number)
        yield f"  ports     {in_use or 'none'} in use"
        sessions = counters["tcp"].get("total_sessions")
        if sessions is not None:
            yield f"  sessions  {sessions:,}"
        yield f"  refused   {', '.join(_refused(counters)) or 'nothing'}"


def _refused(counters: Mapping[str, Mapping[str, int | None]]) -> Iterator[str]:
    """Yield each counter of refused packets with its protocols: some NATs have one counter for all of them."""
    for counter in DROPPED:
        counted: dict[int, list[str]] = {}
        for protocol, each in counters.items():
            if number := each.get(counter):
                counted.setdefault(number, []).append(protocol)
        for number, protocols in counted.items():
            yield f"{counter}={number:,} ({', '.join(protocols)})"


def ports(x: Experiment[Any]) -> Iterator[str]:
    """Yield the ports of each address and protocol, by their state, as far as each NAT knows them."""
    for name, gateway in x.lab.gateways.items():
        found = list(_ports(gateway))
        if not found:
            yield f"{name}: it does not tell which of its ports are in use"
        for each in found:
            known = {state: getattr(each, state) for state in STATES}
            shown = ", ".join(
                f"{number:,} {IN_WORDS.get(state, state)}" for state, number in known.items() if number is not None
            )
            yield f"{name}: {each.protocol:<4} {each.address}  {shown}"


def _ports(gateway: Gateway) -> Iterator[PortGauge]:
    counters = {protocol: gateway.counters(protocol) for protocol in PROTOCOLS}
    gauges = gateway.gauges().ports
    yield from gauges
    for protocol, each in counters.items() if not gauges else ():
        if (used := each.get("ports_allocated")) is not None:
            yield PortGauge("all addresses", protocol, used, each.get("ports_free"))


def mappings(x: Experiment[Any], name: str, host: str | None) -> Iterator[str]:
    """Yield the table of a NAT, or the part of a host in it. Raises GatewayError if nobody can see it."""
    selection = Selection() if host is None else Selection(inside=inside(x, host))
    table = x.lab.gateways[name].table(selection, MOST_ROWS)
    yield f"{name}: {table.total:,} mapping{'s' * (table.total != 1)}" + (f" of {host}" if host else "")
    yield from columns(table.rows)
    if table.total > len(table.rows):
        yield f"  ... and {table.total - len(table.rows):,} more; nat mappings HOST has those of a host"


def columns(rows: Sequence[Row]) -> Iterator[str]:
    """Yield rows with their fields below one another. A field that no row has is left out."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for row in rows:
        fields = [value.ljust(width) for value, width in zip(row, widths, strict=True) if width]
        yield f"  {'  '.join(fields)}".rstrip()


def latest(events: Events) -> tuple[list[str], int]:
    """Return the latest events in lines, and the number of the last batch of events."""
    found, number = news(events, 0)
    return found[-LATEST:], number


def news(events: Events, number: int) -> tuple[list[str], int]:
    """Return the events after a batch in lines, and the number of the last batch."""
    found, last = events.since(number)
    in_order = sorted(found, key=lambda event: event.time)
    return [f"{event.time:10.3f} s  {in_words(event)}" for event in in_order], last
