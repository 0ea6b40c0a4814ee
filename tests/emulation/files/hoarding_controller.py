"""A controller like our own, but a mapping keeps its port when the switch refuses its rules.

python -m hoarding_controller CONFIGURATION.yaml PORT TELEMETRY_FD
"""

from __future__ import annotations

import runpy

from controller.openflow.router import Router

Router.refused = lambda *_: None  # type: ignore[assignment, method-assign]
runpy.run_module("controller", run_name="__main__")
