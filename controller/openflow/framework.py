"""Ryu, or its maintained fork os-ken: the one file that knows which of the two is installed.

Ryu 4.34 is preferred; LASTPORT_FRAMEWORK=os-ken (or ryu) chooses. The rest of the controller imports the
framework's modules from here, by Ryu's names.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

# Both frameworks run on eventlet, which announces at each import that it is deprecated.
warnings.filterwarnings("ignore", message="(?s).*Eventlet is deprecated")

# A controller is told addresses and never a name: eventlet's own resolver, and the package for it, are not needed.
os.environ["EVENTLET_NO_GREENDNS"] = "yes"

import eventlet  # noqa: E402 (after the filter)
import eventlet.wsgi  # noqa: E402

CHOICES = {"ryu": "ryu", "os-ken": "os_ken"}
"""The frameworks by name, in the order of preference, and their packages."""


def _choose() -> str:
    available = [name for name, package in CHOICES.items() if importlib.util.find_spec(package)]
    wanted = os.environ.get("LASTPORT_FRAMEWORK")
    if wanted:
        if wanted not in available:
            raise ImportError(f"LASTPORT_FRAMEWORK={wanted}: installed are {', '.join(available) or 'none'}")
        return wanted
    if not available:
        raise ImportError("neither Ryu nor os-ken is installed: start it with ./lastport, which installs one")
    return available[0]


name = _choose()
_package = CHOICES[name]

if name == "os-ken":
    # Its native-thread hub never reports a disconnect.
    os.environ.setdefault("OSKEN_HUB_TYPE", "eventlet")
elif not hasattr(eventlet.wsgi, "ALREADY_HANDLED"):
    # Ryu asks eventlet for a constant that newer releases no longer have.
    eventlet.wsgi.ALREADY_HANDLED = object()


def _module(path: str) -> Any:
    return importlib.import_module(f"{_package}.{path}")


# Not by the framework's own `hub.patch()`: os-ken's patches threads only, and leaves sockets that block.
eventlet.monkey_patch()
original: Any = eventlet.patcher.original
hub = _module("lib.hub")
app_manager = _module("base.app_manager")
cfg = _module("cfg")
handler = _module("controller.handler")
ofp_event = _module("controller.ofp_event")
_controller = _module("controller.controller")
_ofproto_parser = _module("ofproto.ofproto_parser")
ofproto = _module("ofproto.ofproto_v1_3")
parser = _module("ofproto.ofproto_v1_3_parser")
ProtocolDesc = _module("ofproto.ofproto_protocol").ProtocolDesc

Datapath: Any = _controller.Datapath
HANDLER = f"{_package}.controller.ofp_handler"
"""The framework's own application, which listens for switches. One that handles their events brings it along."""
App: Any = app_manager.RyuApp if name == "ryu" else app_manager.OSKenApp


def version() -> str:
    """Return the framework and its version, such as `ryu 4.34`."""
    return f"{name} {importlib.metadata.version(name)}"


def dispatch(datapath: Any, data: bytes) -> None:
    """Give a message to the framework, and wait until its handlers and the application have seen it."""
    message = _ofproto_parser.msg(datapath, *_ofproto_parser.header(data), data)
    if message is None:
        return  # malformed, and logged
    event = ofp_event.ofp_msg_to_ev(message)
    datapath.ofp_brick.send_event_to_observers(event, datapath.state)
    for handle in datapath.ofp_brick.get_handlers(event, datapath.state):
        handle(event)
    hub.sleep(0)  # applications take events from a queue, each in a greenlet of its own


def report_refused(report: Callable[[Any], None]) -> None:
    """Have `report` called for each message that a switch refuses: with the framework's event."""
    refused = ofp_event.EventOFPErrorMsg
    phases = [handler.HANDSHAKE_DISPATCHER, handler.CONFIG_DISPATCHER, handler.MAIN_DISPATCHER]
    handler.set_ev_handler(refused, phases)(report)  # else the framework's own loop ends with an exception
    app_manager.SERVICE_BRICKS["ofp_event"].register_handler(refused, report)


def run(
    applications: Sequence[str],
    host: str,
    port: int,
    listening: Callable[[], None] = lambda: None,
    connection: Any = Datapath,
    options: Sequence[str] = (),
) -> None:
    """Listen for switches, call `listening`, and run the named modules' applications until the process ends.

    Each connection is an object of the class `connection`, the framework's own or one derived from it. `options`
    are files with options that applications ask for.

    Ryu's own `ryu-manager` does not start on today's Python. This does the part of its work that is needed.
    """

    def serve(*socket_and_address: Any) -> None:
        with contextlib.closing(connection(*socket_and_address)) as datapath:
            datapath.serve()

    _controller.datapath_connection_factory = serve
    cfg.CONF(args=[], project="lastport", default_config_files=list(options))
    cfg.CONF.set_override("ofp_listen_host", host)
    cfg.CONF.set_override("ofp_tcp_listen_port", port)
    manager = app_manager.AppManager.get_instance()
    manager.load_apps(list(applications))
    services = manager.instantiate_apps(**manager.create_contexts())
    if web := sys.modules.get(f"{_package}.app.wsgi"):
        server = web.start_service(manager)
        services += [hub.spawn(server)] if server else []
    hub.sleep(0)  # every service runs to where it waits: the server has its port
    listening()
    hub.joinall(services)
