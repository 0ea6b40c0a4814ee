"""What slirp4netns declares, which questions it is asked, and that a machine without it is told what to do."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.run import doctor
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.sandbox.enter import MachineError
from topologies.gateways.slirp.facts import READ, versions
from topologies.gateways.versions import read_of


def resolved(scenario: str, *sets: str, topology: str | None = None) -> Run:
    """Return what is decided about a run with slirp4netns."""
    return resolve(scenario, "slirp", Choices(topology=topology, sets=list(sets)), datapath="userspace")


@pytest.mark.parametrize(
    "scenario", ["port-exhaustion", "port-overlap", "client-exhaustion", "loss-curve", "fairness"]
)
def test_questions_that_need_no_timer_are_asked_of_it(scenario: str) -> None:
    """In edge, and without walls: it is no file of the user's."""
    run = resolved(scenario)

    assert (run.topology, run.programs) == ("edge", ())
    assert "slirp4netns" in run.needs


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        (
            "release",
            "where the scenario sets tcp_trans_close_timeout=2.0: it does not follow it; take another",
        ),
        ("protocols", "a relay need not pass"),
        ("refusal-signals", "it answers as its own kernel's errors have it"),
        ("hole-punching", "what it declares is of TCP"),
        ("eviction", "it answers as its kernel's errors have it"),
    ],
)
def test_a_question_that_makes_no_sense_for_a_relay_is_refused(scenario: str, words: str) -> None:
    """It is not accused of what it never promised."""
    with pytest.raises(ConfigurationError) as refused:
        resolved(scenario)

    assert words in str(refused.value)


def test_settings_that_it_does_not_follow_are_refused() -> None:
    """None is ignored."""
    for one in ("external_addresses=2", "tcp_rst_timeout=5", "port_quota=4", "on_exhaustion=icmp"):
        with pytest.raises(ConfigurationError, match=one.partition("=")[0]):
            resolved("port-exhaustion", one)
    with pytest.raises(ConfigurationError, match="take --topology edge"):
        resolved("port-exhaustion", topology="home")


def test_a_machine_without_it_is_told_which_package_to_install() -> None:
    """It is required by this gateway only."""
    missing = doctor.Finding("slirp4netns", "missing", False, False, "apt-get install slirp4netns")

    doctor.require(1, found=[missing])
    with pytest.raises(MachineError, match="What to do: apt-get install slirp4netns"):
        doctor.require(1, needs=resolved("port-exhaustion").needs, found=[missing])


def test_the_doctor_looks_for_rare_programs() -> None:
    """Nothing installs them, so they must not be required of every machine."""
    (found,) = [each for each in doctor.findings() if each.name == "slirp4netns"]

    assert not found.required
    assert found.advice == "apt-get install slirp4netns"


def test_a_fact_names_the_version_that_was_read_and_another_one_that_is_installed() -> None:
    """A reader sees that the source code may have changed since."""
    told = "slirp4netns version 1.2.1\ncommit: 0ee2d87523e906518d34a6b423271e4826f71faf\nlibslirp: 4.8.0\n"
    installed = ", ".join(f"{name} {version}" for name, version in versions(told).items())

    assert read_of(READ, installed) == f"read of {READ}; installed is slirp4netns 1.2.1, libslirp 4.8.0"
    assert (read_of(READ, READ), read_of(READ, ""), versions("")) == (READ, READ, {})
