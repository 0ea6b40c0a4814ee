"""What gateways have in common that track connections and keep no mappings, in Linux or in Open vSwitch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from controller.settings import Settings

HARMLESS = {
    "port_set_size": "belongs to the allocator blocks, which is refused",
    "port_set_timeout": "belongs to the allocator blocks, which is refused",
    "pool_usage_low": "moves only a counter that is null here",
    "pool_usage_high": "moves only a counter that is null here",
    "icmp_code": "belongs to on_exhaustion=icmp, which is refused",
    "icmp_rate": "belongs to on_exhaustion=icmp, which is refused",
    "hold_timeout": "belongs to on_exhaustion=hold, which is refused",
    "hold_queue": "belongs to on_exhaustion=hold, which is refused",
    "fallback": "belongs to on_exhaustion=hold and evict-lru, which are refused",
    "hold_down_max": "limits the ports in hold-down, of which there are none",
}
"""The settings that change nothing here, and why."""


def whole_seconds(timeouts: Mapping[str, str], settings: Settings) -> dict[str, int]:
    """Return timeouts in whole seconds, by the settings that they stand for; a fraction is rounded up."""
    return {
        name: math.ceil(round(getattr(settings, key) * settings.time_scale, 6)) for name, key in timeouts.items()
    }


def rendered(template: Path, **facts: Any) -> str:
    """Return the rules that a template and its facts make."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template.read_text()).render(facts)
