"""Refusing a setting that a gateway does not follow, so that none is ever ignored.

A gateway names the settings that it follows, those that change nothing there, and those for which it has a
restriction. Every other setting must keep the gateway's default, also one that did not exist when the gateway was
written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from controller.nat.port_set import ranges_of
from controller.settings import ConfigurationError, Settings


def require_followed(settings: Settings, *, known: Collection[str], defaults: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for a setting that is not `known` and differs from its default.

    `known` are the settings that the gateway follows, is not changed by, or restricts. `defaults` are its own
    defaults, where they differ from those of all.
    """
    usual = type(settings).model_validate(dict(defaults))
    for key in type(settings).model_fields:
        value, default = getattr(settings, key), getattr(usual, key)
        if key not in known and value != default:
            raise ConfigurationError(
                f"setting {key}={_shown(value)} is not possible with this gateway: it does not follow it; "
                f"take {key}={_shown(default)}, or another --gateway"
            )


def require_one_range(settings: Settings, reason: str) -> None:
    """Raise ConfigurationError if mappings may have several ranges of ports, which a gateway cannot follow."""
    ranges = ranges_of(settings.port_set)
    if len(ranges) > 1:
        reserved = f" and reserved_ports={_shown(settings.reserved_ports)}" if settings.reserved_ports else ""
        longest = max(ranges, key=len)
        raise ConfigurationError(
            f"setting ports={_shown(settings.ports)}{reserved} is not possible with this gateway: these are "
            f"{len(ranges)} ranges of ports, and {reason}; take one range, such as "
            f"ports={longest[0]}-{longest[-1]}, or another --gateway"
        )


def _shown(value: object) -> str:
    """Return a value as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
