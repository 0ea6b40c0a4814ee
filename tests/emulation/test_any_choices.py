"""Whatever a user chooses: a run is refused, or an honest NAT is green. By real runs, of a small size."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from testbed.registry import GATEWAYS, SCENARIOS
from tests.emulation.conftest import Run
from tests.support.choices import chosen

SAMPLE = 200
SAME_PORTS = 2
"""A seed with which the first sockets of both peers get one port toward two of three destinations."""
OVERLAPPING = "--set mapping_type=edm --set filtering_type=edf --set port_overlapping=endpoint"


@pytest.mark.parametrize(
    "words",
    [
        f"hole-punching --set ports=16 --seed {SAME_PORTS} {OVERLAPPING}",
        "hole-punching --profile overlap",
    ],
    ids=["same ports by chance", "source ports that could be kept"],
)
def test_mappings_that_look_like_one_are_told_apart(run: Run, words: str) -> None:
    """Where ports overlap, a NAT may give one port toward two destinations, and does as it declares."""
    finished = run("run", *words.split(), "--set", "patience=1", "--json")

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

    assert set(counts) == {*SCENARIOS, *GATEWAYS}
