"""Somebody's Ryu or os-ken applications as a process, unchanged: what `ryu-manager` would do if it started today.

    python -m controller.process.app PORT FOLDER MODULE...

The modules are in FOLDER, which is the first place to import from. They may ask for each other, for Ryu's `wsgi`,
and for options in a file that the environment variable LASTPORT_APP_CONFIG names. The framework keeps to itself
what the switch refuses. Here it is printed, since that is what the author of an app has to know.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

HOST = "127.0.0.1"
VERSIONS = {1: "OpenFlow 1.0", 4: "OpenFlow 1.3"}
"""Those of the switch, by their numbers on the wire."""
CHECKOUT = Path(__file__).resolve().parents[2]
OPTIONS = (".ini", ".conf", ".cfg")
"""How a file ends that is read for the framework's own options. Any other the app reads by itself."""


def main() -> None:
    """Run the applications until the process is killed."""
    port, folder, modules = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from controller.openflow import framework

    _step_aside()
    sys.path.insert(0, folder)
    config = os.environ.get("LASTPORT_APP_CONFIG", "")
    framework.run(
        [*modules, framework.HANDLER],
        HOST,
        port,
        lambda: _begin(framework, modules),
        options=[config] if config.endswith(OPTIONS) else [],
    )


def _begin(framework: ModuleType, modules: Sequence[str]) -> None:
    """Have refusals printed. End the process if nothing can come of it: no application, or no common version."""
    loaded = framework.app_manager.AppManager.get_instance().applications_cls
    if without := [module for module in modules if module not in loaded]:
        base = framework.App.__name__
        sys.exit(f"{', '.join(without)}: there is no application, which is a class that derives from {base}")
    for each in (loaded[module] for module in modules):
        if each.OFP_VERSIONS and VERSIONS.keys().isdisjoint(each.OFP_VERSIONS):
            has = " and ".join(VERSIONS.values())
            sys.exit(f"{each.__module__}: OFP_VERSIONS of {each.__name__} has none of the switch's, {has}")
    framework.report_refused(_print_refused)


def _step_aside() -> None:
    """Leave the names of our own packages to the app, which may have a module `controller` of its own."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "controller"]:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != CHECKOUT]


def _print_refused(event: Any) -> None:
    """Print which message the switch has refused, and why, in OpenFlow's words."""
    message = event.msg
    names, kind = message.datapath.ofproto, message.data[1] if len(message.data) > 1 else 0
    why = names.ofp_error_code_to_str(message.type, message.code)
    print(f"the switch refused a message, {names.ofp_msg_type_to_str(kind)}: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
