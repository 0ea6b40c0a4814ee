"""A question about a log as it was typed: checked, answered, and worded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.natlog.lines import LineError, read, stamp, time
from testbed.natlog.who import Holder, holders

IN_FOLDER = "nat.log"
"""The log in a folder of results."""


@dataclass(frozen=True, slots=True)
class Found:
    """Who had an address and port at a time."""

    address: str
    port: int
    at: datetime
    holders: list[Holder]

    def as_json(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "schema": 1,
            "address": self.address,
            "port": self.port,
            "time": stamp(self.at),
            "holders": [each.as_json() for each in self.holders],
        }

    def in_words(self) -> Iterator[str]:
        """Yield a sentence for each holder, or one that there is none."""
        where = f"{self.address}:{self.port}"
        if not self.holders:
            yield f"Nobody had {where} at {stamp(self.at)}, by this log."
        for each in self.holders:
            until = f" until {stamp(each.until)}" if each.until else ""
            block = f", in its block {each.ports[0]}-{each.ports[-1]}" if len(each.ports) > 1 else ""
            protocol = "" if each.protocol == "any" else f" for {each.protocol.upper()}"
            yield f"{each.subscriber} had {where}{protocol}{block}, since {stamp(each.since)}{until}."


def asked(address: str, port: int, at: str, log: Path) -> Found:
    """Return who had an address and port at a time. Raises ConfigurationError for what is none of these."""
    try:
        external = str(IPv4Address(address))
        when = time(at)
    except ValueError as error:
        raise ConfigurationError(f"{error}") from None
    path = log / IN_FOLDER if log.is_dir() else log
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return Found(external, port, when, holders(read(lines), external, port, when))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except LineError as error:
        raise ConfigurationError(f"{path}: {error}") from None
