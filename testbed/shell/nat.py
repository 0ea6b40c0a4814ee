"""The word `nat`: it looks into the NATs, sets what they follow, and ends mappings."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controller.recording import PROTOCOLS
from controller.settings import Settings, checked, unknown_key
from controller.settings.extensions import is_file
from testbed.experiment.experiment import Experiment
from testbed.run.written import UNREADABLE, value_of
from testbed.shell import look
from testbed.shell.refused import RefusedError
from testbed.shell.standing import Standing
from topologies.gateways.base import GatewayError
from topologies.gateways.by_hand import Selection

LOOK_EVERY_S = 0.1
FIXED = {
    "external_addresses": "the network was built for them",
    "log": "it is written when the run is over, as it was chosen when it began",
}
"""The settings that nobody can change while the network is there, and why."""
USAGE = (
    "nat status | ports | mappings [HOST] | events [-f] | set KEY VALUE | release all|HOST|[PROTOCOL] ADDRESS:PORT"
)
ENDPOINT = re.compile(r"\d+\.\d+\.\d+\.\d+:\d+")


class Nat:
    """The words after `nat`."""

    def __init__(self, standing: Standing, x: Experiment[Any]) -> None:
        self._standing, self._x = standing, x

    def carry_out(self, words: list[str], *, follows: bool) -> Iterator[str]:
        """Yield the answer to a line. `follows` is whether somebody can end what goes on and on."""
        match words:
            case ["status"]:
                return look.status(self._standing, self._x)
            case ["ports"]:
                return look.ports(self._x)
            case ["mappings", *host] if len(host) < 2:
                return self._mappings(host[0] if host else None)
            case ["events"]:
                return self._events()
            case ["events", "-f"]:
                if not follows:
                    raise RefusedError(
                        "nat events -f: only Ctrl-C ends it, which a script has not; take nat events"
                    )
                return self._following()
            case ["set", key, *value] if value:
                return self._set(key, " ".join(value))
            case ["release", *what] if what:
                return self._release(what)
        raise RefusedError(f"{' '.join(['nat', *words])}: it is {USAGE}")

    def _mappings(self, host: str | None) -> Iterator[str]:
        for name in list(self._x.lab.gateways) if host is None else [look.gateway_of(self._x, host)]:
            with _named(name):
                yield from look.mappings(self._x, name, host)

    def _events(self) -> Iterator[str]:
        self._require_events()
        self._hand_on()
        lines, _ = look.latest(self._standing.events)
        yield from lines or ["no events yet"]

    def _following(self) -> Iterator[str]:
        self._require_events()
        lines, number = look.latest(self._standing.events)
        while True:
            yield from lines
            time.sleep(LOOK_EVERY_S)
            lines, number = look.news(self._standing.events, number)

    def _require_events(self) -> None:
        """Refuse where no NAT reports what becomes of its ports."""
        if not any(set(known["knows"]) - {"ATTEMPT"} for known in self._standing.events.knows.values()):
            raise RefusedError(f"{self._names()}: nothing reports what becomes of its ports; see what hosts see")

    def _hand_on(self) -> None:
        """Ask each NAT something: our own sends its events before the answer."""
        for gateway in self._x.lab.gateways.values():
            gateway.counters("tcp")

    def _set(self, key: str, text: str) -> Iterator[str]:
        one, _, key = key.rpartition(".")
        if one and one not in self._x.lab.gateways:
            raise RefusedError(f"setting {one}.{key}: there is no gateway {one!r}; it is one of {self._names()}")
        if key not in Settings.model_fields:
            raise RefusedError(unknown_key(key, list(Settings.model_fields), kind="setting"))
        if key in FIXED:
            raise RefusedError(
                f"setting {key} is not possible at the prompt: {FIXED[key]}; give --set to a new one"
            )
        value = _value(key, text)
        changed = {name: self._changed(name, key, value) for name in ([one] if one else self._x.lab.gateways)}
        for name, settings in changed.items():
            with _named(name):
                cost = self._x.lab.gateways[name].change(settings)
            self._standing.settings[name] = settings
            self._standing.count({name: self._x.lab.gateways[name]})  # rules that are new begin at zero
            now = look.written(getattr(settings, key))
            yield f"{name}: {key}={now} from now on; {cost or 'every mapping stays'}"

    def _changed(self, name: str, key: str, value: Any) -> Settings:
        """Return a gateway's settings with one changed, which all that know of it have checked."""
        before, kind = self._standing.settings[name], type(self._x.lab.gateways[name])
        settings = checked(Settings, {**before.model_dump(), key: value}, kind="setting")
        settings.for_nat()
        kind.check(settings, kind.Options.model_validate(self._standing.plan.options_of(name)))
        own = {"external_addresses": self._standing.plan.settings.external_addresses}
        self._x.lab.topology.check(settings.model_copy(update=own))  # it knows those of the others
        return settings

    def _release(self, what: list[str]) -> Iterator[str]:
        for name, selection in self._selected(what).items():
            with _named(name):
                ended = self._x.lab.gateways[name].release(selection)
            yield f"{name}: {ended:,} mapping{'s' * (ended != 1)} ended"

    def _selected(self, what: list[str]) -> dict[str, Selection]:
        """Return what is meant of each NAT's table."""
        if what == ["all"]:
            return dict.fromkeys(self._x.lab.gateways, Selection())
        protocol, endpoint = what if len(what) == 2 else ("", what[0])
        if not ENDPOINT.fullmatch(endpoint):
            if len(what) > 1:
                raise RefusedError(f"nat release {' '.join(what)}: it is all, HOST, or [PROTOCOL] ADDRESS:PORT")
            return {look.gateway_of(self._x, endpoint): Selection(inside=look.inside(self._x, endpoint))}
        if protocol not in ("", *PROTOCOLS):
            raise RefusedError(f"nat release {protocol}: the protocol is one of {', '.join(PROTOCOLS)}")
        address = endpoint.partition(":")[0]
        owner = next(
            (
                name
                for name, each in self._standing.settings.items()
                if address in map(str, each.external_addresses)
            ),
            None,
        )
        if owner is None:
            raise RefusedError(f"{address} is no external address; nat mappings has each mapping's")
        return {owner: Selection(protocol=protocol, external=endpoint)}

    def _names(self) -> str:
        return ", ".join(self._x.lab.gateways)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the NAT in what it cannot do."""
    try:
        yield
    except GatewayError as error:
        raise RefusedError(f"{name}: {error}") from None


def _value(key: str, text: str) -> Any:
    try:
        value = value_of(text)
    except UNREADABLE as error:
        raise RefusedError(f"setting {key}: the value {text!r} cannot be read: {error}") from None
    if isinstance(value, str) and is_file(value):
        raise RefusedError(
            f"setting {key}={value} is not possible at the prompt: a file of one's own is walled in before "
            "anything starts; give --set to a new prompt"
        )
    return value
