"""What is chosen for one of several gateways only: its kind, and values of keys, as `gateway-b.ports`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.settings import ConfigurationError, Settings, unknown_key
from testbed.registry import FOREIGN, GATEWAYS
from topologies.gateways.base import Gateway

DOT = "."


@dataclass(frozen=True, slots=True)
class Sides:
    """The kinds of single gateways, and the values of their keys, by the gateways' names."""

    kinds: Mapping[str, str]
    values: Mapping[str, Mapping[str, Any]]

    def __bool__(self) -> bool:
        return bool(self.kinds or self.values)

    def require_there(self, topology: str, gateways: Collection[str]) -> None:
        """Raise ConfigurationError if something is chosen for a gateway that the network does not have."""
        for name in (*self.kinds, *self.values):
            if name not in gateways:
                chosen = (
                    f"--gateway {name}={self.kinds[name]}"
                    if name in self.kinds
                    else f"setting {self._first(name)}"
                )
                raise ConfigurationError(
                    f"{chosen} is not possible with topology {topology!r}: it has no gateway {name!r}; choose "
                    f"from: {', '.join(gateways)}, or take another --topology"
                )

    def require_ours(self, usual: str) -> None:
        """Raise ConfigurationError if one of the kinds, or the `usual` one, is somebody else's NAT."""
        for name, kind in {"gateway": usual, **self.kinds}.items():
            if kind in FOREIGN:
                chosen = kind if name == "gateway" else f"{name}={kind}"
                raise ConfigurationError(
                    f"--gateway {chosen} is not possible where single gateways are chosen: somebody else's NAT "
                    f"is judged alone; choose from: {', '.join(GATEWAYS)}"
                )

    def _first(self, name: str) -> str:
        key, value = next(iter(self.values[name].items()))
        return f"{name}{DOT}{key}={value}"

    def of(self, name: str, kind: type[Gateway]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what is chosen for a gateway: settings, and options of its kind. Raises ConfigurationError."""
        values = self.values.get(name, {})
        known = [*Settings.model_fields, *kind.Options.model_fields]
        for key in values:
            if key not in known:
                raise ConfigurationError(unknown_key(key, known, kind=f"setting of {name}"))
        settings = {key: value for key, value in values.items() if key in Settings.model_fields}
        return settings, {key: value for key, value in values.items() if key not in settings}


def apart(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the values of keys that are chosen for all gateways, and those for single ones, by their names."""
    common: dict[str, Any] = {}
    single: dict[str, dict[str, Any]] = {}
    for key, value in given.items():
        name, dot, own = key.rpartition(DOT)
        if dot:
            single.setdefault(name, {})[own] = value
        else:
            common[key] = value
    return common, single


def kinds_in(written: Iterable[str], usual: str) -> tuple[str, dict[str, str]]:
    """Return the kind of all gateways, and those of single ones, from `netfilter` and `gateway-b=netfilter`."""
    chosen: dict[str, str] = {}
    for each in written:
        name, equals, own = each.partition("=")
        if "/" in name:  # the path of a file may have an equals sign
            name, equals, own = "", "", each
        name, own = (name, own) if equals else ("", each)
        if not own or (equals and not name):
            raise ConfigurationError(f"--gateway {each!r} is neither NAME nor GATEWAY=NAME")
        other = chosen.setdefault(name, own)
        if other != own:
            one = f"GATEWAY={own} for one of several gateways" if not name else "one of them"
            before = f"{name}={other}" if name else other
            raise ConfigurationError(f"--gateway {before} and --gateway {each} contradict each other; write {one}")
    return chosen.pop("", usual), chosen
