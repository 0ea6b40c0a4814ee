"""`lastport bench` on the real thing, as small as it goes: every subject sets up flows, and none is lost."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import Run

SIZES = ("--set", "ports=512", "--set", "window=40", "--set", "fills=[0.75]", "--set", "in_flight=16")


def test_every_controller_sets_up_all_flows_of_a_window(run: Run) -> None:
    """Into a table that is three quarters full, which the textbook's has from other hands."""
    subjects = ("--set", "subjects=[textbook, openflow, ceiling]", "--set", "protocols=[tcp]")

    finished = run("bench", "setup", "--repetitions", "1", "--json", *SIZES, *subjects)

    assert finished.status == 0, finished.complaints
    rows = finished.result["rows"]
    assert [(row["subject"], row["lost"]) for row in rows] == [("textbook", 0), ("openflow", 0), ("ceiling", 0)]
    assert all(row["median"] > 0 for row in rows)
    assert {ratio["to"] for ratio in finished.result["ratios"]} == {"textbook", "ceiling"}
    assert finished.result["environment"]["ovs"]


def test_a_name_that_there_is_not(run: Run) -> None:
    """The nearest one is named, and nothing is left behind."""
    finished = run("bench", "setpu")

    assert finished.status == 2
    assert "setup" in finished.complaints


@pytest.mark.parametrize(
    ("bench", "sets"),
    [
        ("forward", ["ports=256", "mappings=[1,256]", "payloads=[18]", "frames=500", "subjects=[openflow]"]),
        ("release", ["ports=256", "udp_timeout=3"]),
        ("evict", ["ports=512", "connections=256"]),
        ("memory", ["ports=1024"]),
        ("rfc9693", ["ports=512", "connections=40"]),
        ("controller", ["flows=1000", "protocols=[udp]"]),
        ("start", ["hosts=[2]", "subjects=[ours]"]),
    ],
)
def test_the_other_benches_measure_something(run: Run, bench: str, sets: list[str]) -> None:
    """Each row has a figure."""
    finished = run(
        "bench", bench, "--repetitions", "1", "--json", *(word for each in sets for word in ("--set", each))
    )

    assert finished.status == 0, finished.complaints + finished.output
    assert [row for row in finished.result["rows"] if row["median"] <= 0] == []
    assert finished.result["rows"]
