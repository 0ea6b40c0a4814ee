"""What passt declares, which questions it is asked, and that a machine without it is told what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.settings import ConfigurationError, Settings
from testbed.experiment.plan import Run
from testbed.run import doctor
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.sandbox.enter import MachineError
from topologies.gateways.passt.facts import behaviour
from topologies.gateways.versions import printed


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Have dpkg-query print a version of the package; without one it fails, as it does where there is none."""

    def package(version: str) -> None:
        query = tmp_path / "dpkg-query"
        query.write_text(f"#!/bin/sh\nprintf %s '{version}'; test '{version}'\n")
        query.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        printed.cache_clear()

    yield package
    printed.cache_clear()


def resolved(scenario: str, *sets: str, topology: str | None = None) -> Run:
    """Return what is decided about a run with passt."""
    return resolve(scenario, "passt", Choices(topology=topology, sets=list(sets)), datapath="userspace")


@pytest.mark.parametrize("scenario", ["port-exhaustion", "port-overlap", "client-exhaustion", "fairness"])
def test_questions_over_tcp_that_need_no_timer_are_asked_of_it(
    installed: Callable[[str], None], scenario: str
) -> None:
    """In edge, and without walls: it is no file of the user's."""
    installed("0.0~git20230309.7c7625d-1")
    run = resolved(scenario)

    assert (run.topology, run.programs) == ("edge", ())
    assert "pasta" in run.needs


@pytest.mark.parametrize(
    ("scenario", "sets", "words"),
    [
        ("port-exhaustion", ["protocol=udp"], "protocol=udp is not possible with this gateway: over UDP it binds"),
        ("port-exhaustion", ["protocol=udp"], "take protocol=tcp or another --gateway"),
        ("recovery", [], "over UDP it binds the guest's own source port"),
        ("loss-curve", [], "udp.c, sock_l4 (passt read of 0.0~git20230309; installed is 0.0~git20250503); take"),
        (
            "release",
            [],
            "where the scenario sets tcp_trans_close_timeout=2.0: it does not follow it; take another",
        ),
        ("protocols", [], "a relay need not pass"),
        ("refusal-signals", [], "it answers as its own kernel's errors have it"),
        ("hole-punching", [], "what it declares is of TCP"),
        ("eviction", [], "its version decides how it refuses"),
    ],
)
def test_a_question_of_which_it_promises_nothing_is_refused(
    installed: Callable[[str], None], scenario: str, sets: list[str], words: str
) -> None:
    """Over UDP two of its guests may share an endpoint, and it does not promise otherwise."""
    installed("0.0~git20250503.587980c-2+deb13u1")
    with pytest.raises(ConfigurationError) as refused:
        resolved(scenario, *sets)

    assert words in str(refused.value)


def test_settings_that_it_does_not_follow_are_refused() -> None:
    """None is ignored."""
    for one in (
        "external_addresses=2",
        "tcp_rst_timeout=5",
        "port_quota=4",
        "on_exhaustion=reset",
        "ports=[9-10,20]",
    ):
        with pytest.raises(ConfigurationError, match=one.partition("=")[0]):
            resolved("port-exhaustion", one)
    with pytest.raises(ConfigurationError, match="take addresses_per_client=1, or another --gateway"):
        resolved("port-exhaustion", "addresses_per_client=4")
    with pytest.raises(ConfigurationError, match="take --topology edge"):
        resolved("port-exhaustion", topology="home")


@pytest.mark.parametrize(
    ("package", "outcome"),
    [
        ("0.0~git20220101.abcdefa-1", "timeout"),
        ("0.0~git20230309.7c7625d-1", "timeout"),
        ("0.0~git20250503.587980c-2+deb13u1", "reset"),
    ],
)
def test_how_it_refuses_follows_from_the_installed_version(
    installed: Callable[[str], None], package: str, outcome: str
) -> None:
    """Debian 12's sends a RST that no host takes, and Debian 13's one that hosts take."""
    installed(package)

    assert (behaviour(Settings()).ports_exhausted.value.outcome or {})["tcp"] == outcome
    resolved("client-exhaustion")


@pytest.mark.parametrize("package", ["", "2024.1", "0.0~git20240220.1e6f92b-1", "0.0~git20260120.1234567-1"])
def test_how_a_version_refuses_that_nobody_has_looked_at_is_not_known(
    installed: Callable[[str], None], package: str
) -> None:
    """Nothing is judged by it, and a question about it is refused with a way out that there is."""
    installed(package)

    assert behaviour(Settings()).ports_exhausted.value.outcome == {}
    assert behaviour(Settings()).state_exhausted.value.outcome is None
    resolved("port-exhaustion")
    with pytest.raises(ConfigurationError, match=r"nobody knows how this NAT refuses.*; take another --gateway"):
        resolved("client-exhaustion")


def test_its_refusal_is_silence_to_a_host(installed: Callable[[str], None]) -> None:
    """Its RST acknowledges nothing, and every fact has its source."""
    installed("0.0~git20230309.7c7625d-1")

    declared = behaviour(Settings())

    assert declared.ports_exhausted.value.outcome == {"tcp": "timeout", "udp": "timeout", "icmp": "timeout"}
    assert "a RST without ACK" in str(declared.ports_exhausted)
    assert declared.relays.value
    assert declared.protocols.value == ("tcp",)


def test_a_machine_without_it_is_told_which_package_to_install() -> None:
    """It is required by this gateway only."""
    missing = doctor.Finding("pasta", "missing", False, False, "apt-get install passt")

    doctor.require(1, found=[missing])
    with pytest.raises(MachineError, match="What to do: apt-get install passt"):
        doctor.require(1, needs=resolved("port-exhaustion").needs, found=[missing])
