"""What the words at a prompt know besides the lab: how the run began, its events, and what was changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.recording import PROTOCOLS, Kind
from controller.settings import Settings
from testbed.experiment.plan import Run
from testbed.shell.events import Events, reports
from topologies.gateways.base import Gateway


@dataclass(slots=True)
class Standing:
    """How things stand: the `settings` of each gateway by now, and the lines that may have changed something."""

    plan: Run
    events: Events
    settings: dict[str, Settings] = field(init=False)
    changes: list[str] = field(default_factory=list)
    counted: dict[tuple[str, str], dict[str, int | None]] = field(default_factory=dict)
    """The counters when the prompt opened, by gateway and protocol, of those that do not report each refusal."""

    def __post_init__(self) -> None:
        self.settings = dict(self.plan.gateways)

    def count(self, gateways: Mapping[str, Gateway]) -> None:
        """Take note of the counters, at the opening of the prompt."""
        telling = set(reports(self.events.knows, Kind.REFUSED))
        for name, gateway in gateways.items():
            for protocol in PROTOCOLS if name not in telling else ():
                self.counted[name, protocol] = dict(gateway.counters(protocol))
