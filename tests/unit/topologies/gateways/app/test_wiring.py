"""What an app is given to know, as JSON, as a module, and in a template of its own."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from tests.support.paths import ROOT
from topologies.edge import Edge
from topologies.gateways.app import wiring
from topologies.home import Home


def facts(topology: Any = Edge, **settings: Any) -> dict[str, Any]:
    """Return the facts of a topology's gateway."""
    built, chosen = topology(clients=2), Settings.model_validate(settings)
    interfaces = built.wiring["gateway"]
    return wiring.wiring(chosen, interfaces, built.gateway_mac("gateway"), dpid=1, listen_port=6653)


def test_an_app_is_told_its_ports_addresses_pool_and_timers() -> None:
    """Timers have `time_scale` in them."""
    told = facts(ports=256, udp_timeout=120, time_scale=0.5)

    assert (told["lan_port"], told["wan_port"], told["dpid"]) == (1, 2, 1)
    assert (told["lan_ip"], told["wan_ip"], told["next_hop"]) == ("10.0.255.254", "192.0.2.1", "192.0.2.254")
    assert (told["external_ip"], told["first_port"], told["last_port"]) == ("192.0.2.1", 1024, 1279)
    assert (told["mac"], told["udp_timeout"]) == ("02:00:0a:00:ff:fe", 60.0)


def test_without_a_router_there_is_no_next_hop_and_every_port_is_listed() -> None:
    """In the topology home, each host has a port of its own."""
    told = facts(Home)

    assert told["next_hop"] is None
    assert [each["side"] for each in told["interfaces"]] == ["lan", "lan", "wan", "wan"]
    assert told["interfaces"][0]["hosts"] == ["10.0.0.1"]


def test_the_json_and_the_module_have_the_same_facts(tmp_path: Path) -> None:
    """Constants are in upper case."""
    told = facts()

    written = json.loads(wiring.write(told, tmp_path).read_text())
    module = runpy.run_path(str(tmp_path / "lastport_wiring.py"))

    assert written == told
    assert {name.lower(): value for name, value in module.items() if name.isupper()} == told


def test_every_fact_stands_in_the_table_of_the_recipe() -> None:
    """A new fact needs a row."""
    recipe = (ROOT / "docs" / "how" / "app.md").read_text()

    assert [name for name in facts() if f"`{name.upper()}`" not in recipe] == []


def test_an_app_s_own_configuration_is_filled_in(tmp_path: Path) -> None:
    """It is a Jinja2 template, whatever its format is."""
    template = tmp_path / "nat.ini.j2"
    template.write_text("[nat]\nwan = {{ wan_port }}\nhosts = {{ interfaces[0].hosts|join(',') }}\n")

    assert wiring.filled_in(template, facts()) == "[nat]\nwan = 2\nhosts = 10.0.0.1,10.0.0.2\n"


@pytest.mark.parametrize("text", ["a\n{{ wann_port }}", "a\n{% if %}", "{{ mac.__class__.__mro__[1] }}"])
def test_a_template_with_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path, text: str) -> None:
    """And one that reaches for more than the facts."""
    template = tmp_path / "nat.ini"
    template.write_text(text)

    with pytest.raises(ConfigurationError, match=r"nat\.ini.*it may use lan_port, lan_ip") as refused:
        wiring.filled_in(template, facts())

    assert ", line 2" in str(refused.value) or "%" not in text
