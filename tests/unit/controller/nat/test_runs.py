"""Runs of ports: no two overlap, and what comes back is whole again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.nat.port_set import Ports, PortSet
from controller.nat.runs import Runs

SEVERAL = PortSet((range(1000, 1007), range(2000, 2013)))
PORTS: tuple[Ports, ...] = (range(1024, 1024 + 24), range(5, 6), SEVERAL)


def test_all_ports_of_whole_units_can_be_had_the_lowest_first() -> None:
    """What is left at the end of a range fills no unit."""
    runs = Runs(SEVERAL, 2)

    assert len(runs) == 18
    assert [runs.take(2) for _ in range(10)] == [
        *(range(at, at + 2) for at in (1004, 1000, 1002)),
        *(range(at, at + 2) for at in range(2008, 2012, 2)),
        *(range(at, at + 2) for at in range(2000, 2008, 2)),
        None,
    ]


def test_a_large_run_is_there_only_if_its_ports_are_consecutive() -> None:
    """Four single ports are free here, and no two neighbours that make a pair."""
    runs = Runs(range(0, 8), 1)
    taken = [runs.take(1) for _ in range(8)]
    for run in taken[::2]:
        assert run is not None
        runs.give(run)

    assert len(runs) == 4
    assert runs.take(2) is None


@given(
    ports=st.sampled_from(PORTS),
    unit=st.integers(1, 3),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=60),
)
def test_no_two_runs_overlap_and_all_can_be_given_again(
    ports: Ports, unit: int, steps: list[tuple[bool, int]]
) -> None:
    """In any order of taking and giving."""
    runs = Runs(ports, unit)
    whole = len(runs)
    taken: list[range] = []
    for takes, number in steps:
        if takes:
            size = unit << number % 3
            run = runs.take(size) if whole else None
            taken += [] if run is None else [run]
            assert run is None or len(run) == size
        elif taken:
            runs.give(taken.pop(number % len(taken)))
        in_use = [port for run in taken for port in run]
        assert len(set(in_use)) == len(in_use)
        assert set(in_use) <= set(ports)
        assert len(runs) == whole - len(in_use)
    for run in taken:
        runs.give(run)
    assert vars(runs)["_free"] == [dict.fromkeys(each) for each in vars(Runs(ports, unit))["_free"]]
