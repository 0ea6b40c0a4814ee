"""The order in which a bench measures its subjects, what it returns, and what it refuses before it starts."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from testbed.bench.repetitions import carried_out, planned
from tests.support.race import Race


@pytest.mark.usefixtures("race")
def test_subjects_are_measured_in_turn() -> None:
    """Whatever else the machine does affects all subjects alike."""
    (plan,) = planned("race", [], 3)

    carried_out(plan, 3)

    assert Race.order == ["hare", "tortoise"] * 3


@pytest.mark.usefixtures("race")
def test_the_printed_object_has_the_keys_of_the_contract() -> None:
    """A subject that could not be measured is named with the reason."""
    (plan,) = planned("race", [], 3)

    held = carried_out(plan, 3)

    assert {key: held[key] for key in ("schema", "bench", "repetitions", "left_out", "environment")} == {
        "schema": 1,
        "bench": "race",
        "repetitions": 3,
        "left_out": {"snail": "no snail here"},
        "environment": {
            "kernel": "6",
            "framework (hare)": "of the hare",
            "framework (tortoise)": "of the tortoise",
            "legs of the hare (hare)": "4",
            "legs of the tortoise (tortoise)": "4",
        },
    }
    assert [(row["subject"], row["median"]) for row in held["rows"]] == [("hare", 30), ("tortoise", 10)]
    assert [ratio["median"] for ratio in held["ratios"]] == [2]


@pytest.mark.usefixtures("race")
def test_only_the_subjects_that_are_asked_for_are_measured() -> None:
    """A bench is long, and often one of them is of interest."""
    (plan,) = planned("race", ["subjects=[tortoise]"], 1)

    carried_out(plan, 1)

    assert Race.order == ["tortoise"]


@pytest.mark.parametrize(
    ("name", "sets", "repetitions", "words"),
    [
        ("setpu", [], 5, "setup"),
        ("setup", [], 0, "--repetitions 0"),
        ("setup", ["windw=10"], 5, "window"),
        ("setup", ["subjects=[openflo]"], 5, "openflow"),
        ("setup", ["fills=[0.99]"], 5, "fills=0.99"),
        ("setup", ["fills=[0.5, 0.25]"], 5, "must go up"),
        ("setup", ["window=many"], 5, "window"),
        ("forward", ["mappings=[70000]"], 5, "mappings"),
        (None, ["window=10"], 5, "name it"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_with_a_way_out(
    name: str | None, sets: list[str], repetitions: int, words: str
) -> None:
    """The refusal comes before anything starts."""
    with pytest.raises(ConfigurationError, match=words):
        planned(name, sets, repetitions)
