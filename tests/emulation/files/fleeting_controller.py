"""A controller like our own, but its flows' rules have a timeout, shorter than that of the other application's.

python -m fleeting_controller CONFIGURATION.yaml PORT TELEMETRY_FD
"""

from __future__ import annotations

import runpy
from typing import Any

from controller.openflow import messages, outbox, templates
from controller.openflow.pipeline import ToldApart
from controller.openflow.rules import Rule


def fleeting(rule: Rule) -> Any:
    """Return the message that adds a rule with an idle timeout of a minute."""
    message = messages.addition(rule)
    message.idle_timeout = 60
    return message


def additions(told_apart: ToldApart) -> templates.ForFlow:
    """Return the object that makes the messages that add the rules of flows."""
    return templates._for_flows(fleeting, told_apart)


outbox.additions = additions  # type: ignore[attr-defined]
runpy.run_module("controller", run_name="__main__")
