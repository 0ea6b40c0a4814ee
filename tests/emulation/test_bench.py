"""`lastport bench` in real labs, at the smallest sizes: every subject is measured, and loses no flow."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import Run

SIZES = ("--set", "ports=512", "--set", "window=40", "--set", "fills=[0.75]", "--set", "in_flight=16")


def test_every_controller_sets_up_all_flows_of_a_window(run: Run) -> None:
    """The table is three quarters full before; the textbook's is filled by raw messages."""
    subjects = ("--set", "subjects=[textbook, openflow, ceiling]", "--set", "protocols=[tcp]")

    finished = run("bench", "setup", "--repetitions", "1", "--json", *SIZES, *subjects)

    assert finished.status == 0, finished.complaints
    rows = finished.result["rows"]
    assert [(row["subject"], row["lost"]) for row in rows] == [("textbook", 0), ("openflow", 0), ("ceiling", 0)]
    assert all(row["median"] > 0 for row in rows)
    assert {ratio["to"] for ratio in finished.result["ratios"]} == {"textbook", "ceiling"}
    assert finished.result["environment"]["ovs"]


def test_an_unknown_bench_is_refused_with_the_nearest_name(run: Run) -> None:
    """A sentence names the bench that the user may have meant."""
    finished = run("bench", "setpu")

    assert finished.status == 2
    assert "setup" in finished.complaints


@pytest.mark.parametrize(
    ("bench", "sets"),
    [
        ("forward", ["ports=256", "mappings=[1,256]", "payloads=[18]", "frames=500", "subjects=[openflow]"]),
        ("release", ["ports=256", "udp_timeout=3"]),
        pytest.param("evict", ["ports=512", "connections=256"], marks=pytest.mark.deep),
        ("memory", ["ports=1024"]),
        ("watch", ["window=500", "protocols=[udp]"]),
        pytest.param("rfc9693", ["ports=512", "connections=20"], marks=pytest.mark.deep),
        ("controller", ["flows=1000", "protocols=[udp]"]),
        ("start", ["hosts=[2]", "subjects=[ours]"]),
    ],
)
def test_the_other_benches_measure_something(run: Run, bench: str, sets: list[str]) -> None:
    """Each bench prints rows, and the figure of each row is above 0."""
    finished = run(
        "bench", bench, "--repetitions", "1", "--json", *(word for each in sets for word in ("--set", each))
    )

    assert finished.status == 0, finished.complaints + finished.output
    assert [row for row in finished.result["rows"] if row["median"] <= 0] == []
    assert finished.result["rows"]
