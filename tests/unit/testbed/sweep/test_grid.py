"""The combinations of `--grid`."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from testbed.sweep.grid import Grid, grid_of, name_of


def test_every_combination_is_there_once_and_the_last_key_changes_fastest() -> None:
    """Values are those of YAML: numbers, words and lists."""
    grid = grid_of(["ports=8,16", "gateway=openflow,netfilter"])

    assert grid.combinations() == [
        {"ports": 8, "gateway": "openflow"},
        {"ports": 8, "gateway": "netfilter"},
        {"ports": 16, "gateway": "openflow"},
        {"ports": 16, "gateway": "netfilter"},
    ]


def test_a_value_may_be_a_list() -> None:
    """Its commas are within brackets."""
    assert grid_of(["ports=[1024-1031,2048-2055],16"]).values == {"ports": [["1024-1031", "2048-2055"], 16]}


def test_no_grid_is_one_combination() -> None:
    """That of what was given."""
    assert Grid({}).combinations() == [{}]
    assert name_of({}) == "as given"


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["ports"], "--grid 'ports' is not KEY=V1,V2,..."),
        (["ports="], "--grid 'ports=' is not KEY=V1,V2,..."),
        (["ports=8", "ports=9"], "--grid ports is there twice"),
        (["ports=8,8"], "--grid ports has 8 twice"),
        (["ports=[8"], "--grid 'ports=[8': the values cannot be read"),
        (["seed=1,2"], "take --repeat and --seed"),
        ([f"{key}={','.join(map(str, range(101)))}" for key in ("a", "b")], "--grid has 10,201 combinations"),
    ],
)
def test_what_is_no_grid_is_refused(texts: list[str], reason: str) -> None:
    """With what to do."""
    with pytest.raises(ConfigurationError) as refused:
        grid_of(texts)

    assert reason in str(refused.value)
