"""What the author of a stranger's NAT promises: declared if it is set, and checked; else nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.registry import load
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from topologies.gateways.behaviour import Behaviour


@pytest.fixture(params=["app", "program"])
def stranger(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The kind of a stranger's NAT, and the setting that says whose."""
    (tmp_path / "nat.py").write_text("import ryu\n")
    own = {"app": f"app={tmp_path / 'nat.py'}", "program": "program=sleep 1"}
    return request.param, own[request.param]


def run(scenario: str, stranger: tuple[str, str], *promises: str) -> Run:
    """Return what is decided about a run with promises."""
    kind, own = stranger
    return resolve(scenario, kind, Choices(sets=[own, *promises]), datapath="userspace")


def declared(plan: Run) -> Behaviour:
    """Return what the gateway declares in the sandbox, where it gets the plan as JSON."""
    plan = Run.model_validate_json(plan.model_dump_json())
    kind = load("gateway", plan.gateway)
    behaviour: Behaviour = kind.declare(plan.settings, kind.Options.model_validate(plan.options))
    return behaviour


def test_without_a_promise_nothing_is_declared_that_the_rfcs_leave_open(stranger: tuple[str, str]) -> None:
    """The default of a setting is no promise."""
    known = declared(run("release", stranger))

    assert (known.filtering.value, known.port_order.value) == ("unknown", "undeclared")
    assert known.keeps_source_port.value is None
    assert known.ports_exhausted.value.outcome == {}


def test_a_setting_that_the_user_sets_is_a_promise_even_if_it_is_the_default(stranger: tuple[str, str]) -> None:
    """Each fact has the promise for its source, so that a red check names it."""
    known = declared(
        run(
            "release",
            stranger,
            *("filtering_type=eif", "mapping_type=edm", "port_allocation_type=preserving", "on_exhaustion=reset"),
        )
    )

    assert (known.filtering.value, known.mapping.value) == ("eif", "edm")
    assert (known.keeps_source_port.value, known.port_order.value) == (True, "random")
    assert known.ports_exhausted.value.outcome == {"tcp": "reset", "udp": "icmp", "icmp": "icmp"}
    assert known.filtering.source == "its author's promise, filtering_type=eif"


@pytest.mark.parametrize(
    ("scenario", "promises"),
    [
        ("refusal-signals", ["on_exhaustion=icmp"]),
        ("client-exhaustion", ["on_exhaustion=drop"]),
        ("hold-and-retry", ["on_exhaustion=drop"]),
        ("port-overlap", ["mapping_type=edm", "filtering_type=edf", "port_overlapping=endpoint"]),
    ],
)
def test_a_promise_opens_the_scenario_that_needs_it(tmp_path: Path, scenario: str, promises: list[str]) -> None:
    """Without it the scenario is refused, and the sentence has the way to promise."""
    (tmp_path / "nat.py").write_text("import ryu\n")
    app = ("app", f"app={tmp_path / 'nat.py'}")

    with pytest.raises(ConfigurationError) as refused:
        run(scenario, app)
    opened = run(scenario, app, *promises)

    assert promises[0].partition("=")[0] in str(refused.value)
    assert opened.options["promised"] == [each.partition("=")[0] for each in promises]


@pytest.mark.parametrize(
    ("scenario", "sets", "words"),
    [
        (
            "release",
            ["on_exhaustion=evict-lru"],
            "evict-lru cannot be promised of somebody else's NAT",
        ),
        ("release", ["port_allocation_type=linux-like"], "choose from: random, preserving, sequential, blocks"),
        (
            "release",
            ["promised=ports"],
            "promised=ports: that is nothing which can be promised; choose from",
        ),
        (
            "release",
            ["limit_sessions=9"],
            "limit_sessions=9 is not possible with this gateway: it does not",
        ),
        ("port-overlap", [], "nobody can tell somebody else's NAT to do so; take --set"),
        ("hole-punching", [], "take --set filtering_type=eif, adf or edf, whichever the NAT does"),
    ],
)
def test_what_cannot_be_promised_is_refused_with_what_can(
    tmp_path: Path, scenario: str, sets: list[str], words: str
) -> None:
    """Before anything starts."""
    (tmp_path / "nat.py").write_text("import ryu\n")

    with pytest.raises(ConfigurationError) as refused:
        run(scenario, ("app", f"app={tmp_path / 'nat.py'}"), *sets)

    assert words in str(refused.value)
