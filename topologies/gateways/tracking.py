"""What gateways have in common that track connections and keep no mappings, whoever does the tracking."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from controller.settings import Settings

HARMLESS = {
    "port_set_size": "of the allocator blocks, which is refused",
    "port_set_timeout": "of the allocator blocks, which is refused",
    "pool_usage_low": "moves a counter only, which is null here",
    "pool_usage_high": "moves a counter only, which is null here",
    "icmp_code": "of on_exhaustion=icmp, which is refused",
    "icmp_rate": "of on_exhaustion=icmp, which is refused",
    "hold_timeout": "of on_exhaustion=hold, which is refused",
    "hold_queue": "of on_exhaustion=hold, which is refused",
    "fallback": "of on_exhaustion=hold and evict-lru, which are refused",
    "hold_down_max": "limits the ports in hold-down, of which there are none",
}
"""The settings that change nothing here, and why."""


def whole_seconds(timeouts: Mapping[str, str], settings: Settings) -> dict[str, int]:
    """Return timeouts by the settings that they stand for. A fraction is rounded up: never down to 0."""
    return {
        name: math.ceil(round(getattr(settings, key) * settings.time_scale, 6)) for name, key in timeouts.items()
    }


def rendered(template: Path, **facts: Any) -> str:
    """Return rules: a template, filled with the facts."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template.read_text()).render(facts)
