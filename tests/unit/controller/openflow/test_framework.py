"""What the framework's own loop makes of a message that a switch refuses, for an app that is somebody's own."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import ROOT

SESSION = """
import importlib, socket
from controller.openflow import framework

framework.app_manager.register_app(importlib.import_module(framework.HANDLER).OFPHandler())
refused = []
def keep(event): refused.append((event.msg.type, event.msg.code))
framework.report_refused(keep)
listening = socket.create_server(("127.0.0.1", 0))
switch = socket.create_connection(listening.getsockname())
here, _ = listening.accept()
datapath = framework.Datapath(here, ("127.0.0.1", 6653))
datapath.ofproto, datapath.ofproto_parser = framework.ofproto, framework.parser
datapath.set_state(framework.handler.{phase}_DISPATCHER)
switch.sendall(bytes([4, 1, 0, 12, 0, 0, 0, 1, 0, 2, 0, 5]) * 2)
switch.close()
datapath._recv_loop()
print(refused)
"""


def test_a_refused_message_is_reported_and_the_connection_goes_on() -> None:
    """While the app sends its first rules, and later."""
    for phase in ("CONFIG", "MAIN"):
        script = SESSION.format(phase=phase)
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
        )

        assert done.stdout == "[(2, 5), (2, 5)]\n", done.stderr
