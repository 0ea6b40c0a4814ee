"""What the words at a prompt know besides the lab: how the run began, its events, and what was changed since."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.settings import Settings
from testbed.experiment.plan import Run
from testbed.shell.events import Events


@dataclass(slots=True)
class Standing:
    """How things stand: the `settings` of each gateway by now, and the lines that may have changed something."""

    plan: Run
    events: Events
    settings: dict[str, Settings] = field(init=False)
    changes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = dict(self.plan.gateways)
