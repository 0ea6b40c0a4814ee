"""`compare --pairs`: which runs are carried out, and what is refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.compare.carrying import told
from testbed.compare.pairs import Pair, plans, sides
from testbed.run.choices import Choices
from testbed.run.schema import Matrix

HOLES = "hole-punching"


def decided(*kinds: str, sets: tuple[str, ...] = ()) -> list[Pair]:
    """Return the pairs of two kinds."""
    return plans(Choices(sets=[*sets]), HOLES, sides(HOLES, kinds))


def test_ours_on_both_sides_is_81_pairs_each_in_a_folder_of_its_own() -> None:
    """Each run has the two behaviours that its pair is called by."""
    pairs = decided("openflow")

    assert len(pairs) == len({pair.folder for pair in pairs}) == 81
    for pair in pairs:
        assert pair.planned.run is not None
        nats = pair.planned.run.gateways.values()
        assert tuple(f"{each.mapping_type}/{each.filtering_type}" for each in nats) == pair.behaviours


def test_two_names_are_for_the_two_sides_in_their_order() -> None:
    """Other settings are for both, as in any run."""
    pairs = decided("openflow", "netfilter", sets=("patience=1",))

    assert len(pairs) == 18
    for pair in pairs:
        run = pair.planned.run
        assert run is not None
        assert [run.kind_of(name) for name in run.gateways] == ["openflow", "netfilter"]
        assert run.parameters["patience"] == 1
        allocation = "preserving" if pair.behaviours[1] == "eim/edf" else "random"
        assert run.gateways["gateway-b"].port_allocation_type == allocation


@pytest.mark.parametrize(
    ("scenario", "kinds", "sets", "sentence"),
    [
        (
            "port-exhaustion",
            ("openflow",),
            (),
            "--pairs is not possible with port-exhaustion: it is not about two",
        ),
        ("two-nats", ("openflow",), (), "take hole-punching, or leave out --pairs"),
        (
            HOLES,
            ("openflow", "netfilter", "ovs-ct"),
            (),
            "has 3 names: with --pairs, one is for both sides, and two",
        ),
        (HOLES, ("openflow", "slirp"), (), "--gateway gateway-b=slirp is not possible where single gateways"),
        (HOLES, ("openflow",), ("mapping_type=eim",), "setting mapping_type=eim is not possible with --pairs"),
        (HOLES, ("openflow",), ("gateway-b.filtering_type=edf",), "setting gateway-b.filtering_type=edf is not"),
        (HOLES, ("netfilter",), ("port_allocation_type=random",), "which tries every value of it; leave it out"),
        (HOLES, ("openflow",), ("ports=2",), "take ports=5 or more"),
        (HOLES, ("netfilter",), ("gateway-a.port_allocation_type=random",), "which tries every value of it"),
        (HOLES, ("openflwo",), (), "did you mean 'openflow'?"),
    ],
)
def test_what_cannot_be_is_refused(
    scenario: str, kinds: tuple[str, ...], sets: tuple[str, ...], sentence: str
) -> None:
    """With the option or the key, and the way out."""
    with pytest.raises(ConfigurationError) as refused:
        plans(Choices(sets=[*sets]), scenario, sides(scenario, kinds))

    assert sentence in str(refused.value)


def test_an_allocator_that_pairs_try_anyway_is_refused() -> None:
    """By the option that is short for the setting; where it is not tried, it is for all pairs."""
    chosen = Choices(allocator="sequential")

    with pytest.raises(ConfigurationError, match="setting port_allocation_type=sequential is not possible with"):
        plans(chosen, HOLES, sides(HOLES, ["netfilter"]))
    for pair in plans(chosen, HOLES, sides(HOLES, ["openflow"]))[:1]:
        assert pair.planned.run is not None
        assert pair.planned.run.settings.port_allocation_type == "sequential"


def test_the_matrix_has_what_each_run_says_of_its_pair() -> None:
    """A run that broke foresees and observes nothing; one that was not begun has no cell."""
    both = sides(HOLES, ["netfilter"])
    pairs = plans(Choices(), HOLES, both)
    seen = {"foreseen": ["apart", "meet"], "observed": "meet"}
    runs: dict[int, dict[str, Any]] = {
        1: {"verdict": "pass", "series": {"pair": seen}},
        3: {"verdict": "cannot", "reason": "no"},
    }

    matrix = told(both, pairs, runs)

    Matrix.model_validate(matrix)
    assert [side["gateway"] for side in matrix["sides"]] == ["gateway-a", "gateway-b"]
    assert matrix["cells"] == [
        {"behaviours": ["eim/edf", "edm/edf"], **seen, "verdict": "pass", "run": 0},
        {"behaviours": ["edm/edf", "edm/edf"], "foreseen": [], "observed": None, "verdict": "cannot", "run": 1},
    ]
