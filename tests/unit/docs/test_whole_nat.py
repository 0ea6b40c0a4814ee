"""The example app that is a whole NAT: when it ends a mapping whose rules the switch has removed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "apps" / "whole_nat.py"
IN_A_PROCESS_OF_ITS_OWN = f"""
import controller.openflow.framework, json, runpy, sys, types

wiring = sys.modules["lastport_wiring"] = types.ModuleType("lastport_wiring")
vars(wiring).update(dict.fromkeys(("EXTERNAL_IP", "LAN_IP", "MAC", "NEXT_HOP", "WAN_IP"), ""))
vars(wiring).update(LAN_PORT=1, WAN_PORT=2, FIRST_PORT=1024, LAST_PORT=1024, TCP_IDLE_TIMEOUT=3600.0)
vars(wiring).update(dict.fromkeys(("ICMP_TIMEOUT", "TCP_CLOSE_TIMEOUT", "TCP_RST_TIMEOUT", "UDP_TIMEOUT"), 2.0))
names = runpy.run_path({str(EXAMPLE)!r})

def is_kept(**facts):
    nat = names["WholeNat"]()
    nat.rule, nat.o = lambda *_, **__: None, types.SimpleNamespace(OFPFC_DELETE_STRICT=4)
    mapping = nat.map(6, ("10.0.0.1", 5000), "02:00:00:00:00:01")
    mapping.used_at -= 3600.0
    mapping.__dict__.update(facts)
    nat.end_if_idle(mapping)
    return (6, 1024) in nat.outside

print(json.dumps({{
    "idle": is_kept(),
    "a FIN came later": is_kept(used_at=names["time"].monotonic()),
    "both FINs came": is_kept(is_closing=True),
    "one rule is left": is_kept(rules={{1}}),
    "whole": [names["whole"](seconds) for seconds in (0.4, 1.0, 3.5)],
}}))
"""
"""Ryu's eventlet changes the process that imports it."""


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    """What became of mappings without rules, by what was so."""
    command = [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded: dict[str, object] = json.loads(printed.splitlines()[-1])
    return loaded


def test_a_mapping_that_was_idle_ends(found: dict[str, object]) -> None:
    """When the switch has removed both of its rules."""
    assert found["idle"] is False


@pytest.mark.parametrize("why", ["a FIN came later", "both FINs came", "one rule is left"])
def test_a_mapping_does_not_end_by_its_rules_alone(found: dict[str, object], why: str) -> None:
    """The controller sees FINs, which use no rule, and a closing connection has a timer of its own."""
    assert found[why] is True


def test_a_timer_becomes_whole_seconds_of_a_rule(found: dict[str, object]) -> None:
    """A rule with 0 would never end."""
    assert found["whole"] == [1, 1, 4]
