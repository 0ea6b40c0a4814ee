"""`lastport bench` without a network: what is asked for, in which order it is measured, and the figures."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import pytest

from controller.settings import ConfigurationError
from testbed.bench.bench import Bench, Measured, Parameters, Ratio, Sample
from testbed.bench.figures import ratios, rows
from testbed.bench.repetitions import carried_out, planned
from testbed.bench.table import markdown
from testbed.registry import BENCHES, ours

PLACE = {"fill": 0.5}


def sample(subject: str, value: float, **details: float) -> Sample:
    """Return one figure."""
    return Sample(subject, PLACE, "flows/s", value, details)


class Known:
    """A trial that gives a list of values, one for each repetition, and notes when it was measured."""

    def __init__(self, subject: str, values: list[float], order: list[str], lacking: str = "") -> None:
        self.subject = self.title = subject
        self._values = iter(values)
        self._order = order
        self._lacking = lacking

    def lacks(self) -> str:
        """Return what was given."""
        return self._lacking

    def measure(self) -> Measured:
        """Return the next value."""
        self._order.append(self.subject)
        facts = {"kernel": "6", "framework": f"of the {self.subject}", f"legs of the {self.subject}": "4"}
        return Measured([sample(self.subject, next(self._values))], facts)


class Race(Bench):
    """Who is faster?"""

    name = "race"
    subjects = ("hare", "tortoise", "snail")
    ratios = (Ratio("hare", "tortoise", "flows/s"),)
    order: ClassVar[list[str]] = []

    @classmethod
    def trials(cls, parameters: Any) -> list[Known]:
        """Three subjects, of whom one is not here."""
        cls.order.clear()
        return [
            Known("hare", [10.0, 40.0, 30.0], cls.order),
            Known("tortoise", [5.0, 10.0, 30.0], cls.order),
            Known("snail", [], cls.order, lacking="no snail here"),
        ]


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the race among the benches."""
    monkeypatch.setitem(BENCHES, "race", f"{__name__}:Race")


def test_a_row_is_the_median_over_the_repetitions_with_the_least_and_the_most() -> None:
    """Whatever the order in which they came."""
    found = rows([[sample("hare", 30.0)], [sample("hare", 10.0)], [sample("hare", 20.5)]])

    assert found == [
        {"subject": "hare", "parameters": PLACE, "unit": "flows/s", "median": 20.5, "min": 10, "max": 30}
    ]


def test_a_ratio_compares_within_each_repetition() -> None:
    """A machine that is slow for a while slows both: 2, 4 and 1, though the medians are 30 and 10."""
    repetitions = [
        [sample("hare", 10.0), sample("tortoise", 5.0)],
        [sample("hare", 40.0), sample("tortoise", 10.0)],
        [sample("hare", 30.0), sample("tortoise", 30.0)],
    ]

    found = ratios(repetitions, [Ratio("hare", "tortoise", "flows/s")])

    assert found == [{"of": "hare", "to": "tortoise", "parameters": PLACE, "median": 2, "min": 1, "max": 4}]


def test_ratios_are_of_like_cells_only() -> None:
    """Neither another unit nor other parameters are comparable."""
    samples = [
        sample("hare", 10.0),
        Sample("tortoise", PLACE, "Mbit/s", 5.0),
        Sample("tortoise", {"fill": 0.95}, "flows/s", 5.0),
    ]

    assert ratios([samples], [Ratio("hare", "tortoise", "flows/s")]) == []


def test_what_lost_something_is_in_no_ratio() -> None:
    """A NAT that loses packets is not faster for it."""
    repetitions = [
        [sample("hare", 90.0, lost=1), sample("tortoise", 5.0, lost=0)],
        [sample("hare", 40.0, lost=0), sample("tortoise", 10.0, lost=0)],
    ]

    (found,) = ratios(repetitions, [Ratio("hare", "tortoise", "flows/s")])

    assert found["max"] == 4


def test_what_must_be_said_stands_on_the_page_as_well() -> None:
    """The note of a bench comes before its table."""
    held = {"note": "single host, not RFC-grade", "rows": [], "ratios": []}

    assert markdown(held).startswith("Single host, not RFC-grade.\n\n| subject")


def test_a_row_tells_the_worst_loss() -> None:
    """The median would hide it."""
    found = rows([[sample("hare", 10.0, lost=0)], [sample("hare", 10.0, lost=7)], [sample("hare", 10.0, lost=0)]])

    assert found[0]["lost"] == 7


@pytest.mark.usefixtures("race")
def test_subjects_are_measured_in_turn() -> None:
    """Whatever else the machine does meets all of them alike."""
    (plan,) = planned("race", [], 3)

    carried_out(plan, 3)

    assert Race.order == ["hare", "tortoise"] * 3


@pytest.mark.usefixtures("race")
def test_the_object_that_is_printed() -> None:
    """Its keys are the contract; who could not be measured is named with the reason."""
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
def test_the_table_for_a_page_has_a_line_for_each_row_and_ratio() -> None:
    """As Markdown has tables."""
    (plan,) = planned("race", ["subjects=[hare, tortoise]"], 3)

    assert markdown(carried_out(plan, 3)).splitlines() == [
        "| subject | fill | median | least | most | unit |",
        "| --- | --- | ---: | ---: | ---: | --- |",
        "| hare | 0.5 | 30 | 10 | 40 | flows/s |",
        "| tortoise | 0.5 | 10 | 5 | 30 | flows/s |",
        "| hare / tortoise | 0.5 | 2 | 1 | 4 | times |",
    ]


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
def test_what_makes_no_sense_is_refused_with_a_way_out(
    name: str | None, sets: list[str], repetitions: int, words: str
) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigurationError, match=words):
        planned(name, sets, repetitions)


def test_every_bench_has_its_own_name_and_asks_a_question() -> None:
    """The names are those of the command line."""
    for name, bench in ours("bench").items():
        assert bench.name == name
        assert bench.question().endswith("?")
        assert bench.subjects
        assert issubclass(bench.Parameters, Parameters)


def test_ratios_name_subjects_that_there_are() -> None:
    """A misspelt one would silently give no ratio."""
    for bench in ours("bench").values():
        for ratio in itertools.chain.from_iterable((each.of, each.to) for each in bench.ratios):
            assert ratio in bench.subjects
