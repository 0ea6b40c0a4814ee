"""Profiles: settings under one name. One short YAML file each, and one name here.

A profile's file can be given to `--config`: it has one `key: value` on each line. Here each has its reason behind
it as a comment, and the first line is a comment with the purpose of the profile. `lastport show NAME` shows both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

CLOUDS = ("aws-nat-gateway", "azure-nat-gateway", "azure-load-balancer", "gcp-cloud-nat", "gcp-cloud-nat-dynamic")
"""Profiles of products. What a vendor does not publish has a reason that begins with ASSUMED."""
NAMES = ("plain", "cgn", "overlap", "home-router", *CLOUDS)
ASSUMED = "assumed: "

_SETTING = re.compile(r"(?P<setting>(?P<key>\w+): .*?) +# (?P<reason>.+)")


@dataclass(frozen=True, slots=True)
class Profile:
    """The purpose of a profile, its settings, and the reason for each."""

    description: str
    settings: dict[str, Any]
    reasons: dict[str, str]

    @property
    def assumed(self) -> list[str]:
        """The settings whose values nobody has published: they are guesses, and may be swept."""
        return [key for key, reason in self.reasons.items() if reason.startswith(ASSUMED)]


def read(text: str) -> Profile:
    """Read a profile's file. Raises ValueError for a line that is no comment and no setting with a reason."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("# "):
        raise ValueError("a profile begins with a comment: its purpose")
    settings: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for line in lines:
        if line.startswith("#") or not line:
            continue
        parts = _SETTING.fullmatch(line)
        if parts is None:
            raise ValueError(f"not a setting with its reason: {line}")
        settings |= yaml.safe_load(parts["setting"])
        reasons[parts["key"]] = parts["reason"]
    return Profile(lines[0].removeprefix("# "), settings, reasons)


def _ours(name: str) -> Profile:
    return read(resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))


EXPLAINED = {name: _ours(name) for name in NAMES}
"""Every profile by its name."""
