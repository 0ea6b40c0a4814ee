"""Whatever a user chooses: a run is refused, or an honest NAT is green. By real runs, of a small size."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.emulation.conftest import Run
from tests.support.choices import chosen

SAMPLE = 200


@pytest.mark.parametrize(
    "words",
    [
        "hole-punching --gateway ovs-ct --set ports=16 --set patience=1",
        "hole-punching --profile overlap --set patience=1",
        "eviction --set clients=2 --set busy=3.5",
    ],
)
def test_what_was_red_by_chance_is_green(run: Run, words: str) -> None:
    """Two mappings got the same port of few, a NAT kept the source port, or one mapping served two connections."""
    finished = run("run", *words.split(), "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(SAMPLE))
def test_an_honest_nat_is_green_or_the_run_is_refused(run: Run, seed: int) -> None:
    """The seed chooses scenario, gateway, network, profile and some values."""
    choices = chosen(random.Random(seed).choice, small=True)
    finished = run("run", *choices.arguments, "--json")

    assert finished.status in (0, 2), (choices.arguments, finished.failed, finished.complaints)


def test_the_sample_has_runs_of_every_scenario_and_gateway() -> None:
    """Most are refused or not by one value. A sample of refusals alone would show nothing."""
    sample = [chosen(random.Random(seed).choice, small=True) for seed in range(SAMPLE)]
    counts = Counter(choices.scenario for choices in sample) + Counter(choices.gateway for choices in sample)

    assert len(counts) == 16 + 3
