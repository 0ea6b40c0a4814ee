"""What an app is given to know: its ports, its addresses, the pool and the timers that it is held to.

An app reads it as JSON from the file that the environment variable LASTPORT_WIRING names, or imports it as
constants, `from lastport_wiring import LAN_PORT, WAN_PORT`. Both have the same names, and constants are in upper
case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface, Side

MODULE = "lastport_wiring"
FILE = "wiring.json"
VARIABLE, CONFIG_VARIABLE = "LASTPORT_WIRING", "LASTPORT_APP_CONFIG"
TIMERS = {
    "tcp_idle_timeout": "tcp_idle_timeout",
    "tcp_open_timeout": "tcp_trans_open_timeout",
    "tcp_close_timeout": "tcp_trans_close_timeout",
    "tcp_rst_timeout": "tcp_rst_timeout",
    "udp_timeout": "udp_timeout",
    "icmp_timeout": "icmp_timeout",
}
"""The setting that each timer stands for. All are in seconds, with `time_scale` in them."""
HEADER = '"""The wiring of this NAT, by lastport."""'
"""The first line of the module."""


def wiring(
    settings: Settings, interfaces: list[Interface], mac: str, *, dpid: int, listen_port: int
) -> dict[str, Any]:
    """Return all facts by their names: `docs/how/app.md` explains each."""
    lan = next(each for each in interfaces if each.side is Side.INSIDE)
    outside = [each for each in interfaces if each.side is Side.OUTSIDE]
    wan = next((each for each in outside if each.next_hop), outside[0])
    timers = {name: getattr(settings, key) * settings.time_scale for name, key in TIMERS.items()}
    return {
        "lan_port": lan.port,
        "lan_ip": str(lan.address.ip),
        "lan_network": str(lan.address.network),
        "wan_port": wan.port,
        "wan_ip": str(wan.address.ip),
        "wan_network": str(wan.address.network),
        "next_hop": None if wan.next_hop is None else str(wan.next_hop),
        "mac": mac,
        "external_ip": str(settings.external_addresses[0]),
        "external_ips": [str(each) for each in settings.external_addresses],
        "first_port": settings.port_set[0],
        "last_port": settings.port_set[-1],
        **timers,
        "dpid": dpid,
        "listen_host": "127.0.0.1",
        "listen_port": listen_port,
        "interfaces": [_described(each) for each in interfaces],
    }


def texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts as files, by their names: the JSON, and the module with the constants."""
    lines = [f"{name.upper()} = {value!r}\n" for name, value in facts.items()]
    module = f"{HEADER}\n\n{''.join(lines)}"
    return {FILE: json.dumps(facts, indent=2) + "\n", f"{MODULE}.py": module}


def is_ours(name: str, text: str, facts: Mapping[str, Any]) -> bool:
    """Whether a file of that name has what was written by `texts` before, perhaps for other facts."""
    if name != FILE:
        return text.startswith(HEADER)
    try:
        told = json.loads(text)
    except ValueError:
        return False
    return isinstance(told, dict) and told.keys() == facts.keys()


def write(facts: Mapping[str, Any], folder: Path) -> Path:
    """Write the facts into a folder. Return the path of the JSON."""
    for name, text in texts(facts).items():
        (folder / name).write_text(text)
    return folder / FILE


def filled_in(template: Path, facts: Mapping[str, Any]) -> str:
    """Return the text of a user's template, with the facts in it. Raises ConfigurationError."""
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    try:
        return environment.from_string(template.read_text()).render(facts)
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f"{template}, line {line}" if line else template
        raise ConfigurationError(f"setting app_config: {place}: {error}; it may use {', '.join(facts)}") from None


def _described(interface: Interface) -> dict[str, Any]:
    return {
        "port": interface.port,
        "side": "lan" if interface.side is Side.INSIDE else "wan",
        "ip": str(interface.address.ip),
        "network": str(interface.address.network),
        "next_hop": None if interface.next_hop is None else str(interface.next_hop),
        "hosts": [str(each.network_address) for each in interface.hosts if each.prefixlen == each.max_prefixlen],
    }
