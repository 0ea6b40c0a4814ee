"""The ports of one range or several: places, look-ups, and blocks that stay within a range."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.port_set import Blocks, PortSet, ranges_of, united

SEVERAL = united([range(8192, 8196), range(4096, 4099)])


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 20)), max_size=6),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 20)), max_size=3),
)
def test_united_ports_are_a_set_in_ascending_order(
    ranges: list[tuple[int, int]], without: list[tuple[int, int]]
) -> None:
    """Whatever the ranges are: the model is Python's own set. A place and its port belong together."""
    added = [range(start, start + count) for start, count in ranges]
    left_out = [range(start, start + count) for start, count in without]

    ports = united(added, without=left_out)

    expected = sorted({port for each in added for port in each} - {port for each in left_out for port in each})
    assert list(ports) == expected
    assert len(ports) == len(expected)
    assert [ports[ports.index(port)] for port in expected] == expected
    assert [port for port in range(130) if port in ports] == expected
    joined = ranges_of(ports)
    assert all(lower.stop < upper.start for lower, upper in itertools.pairwise(joined))


def test_one_range_is_a_range() -> None:
    """Ranges that touch are one, so that a NAT with one range pays nothing for several."""
    assert united([range(1024, 1028), range(1028, 1030)]) == range(1024, 1030)
    assert united([range(65_530, 65_536)]) == range(65_530, 65_536)


@pytest.mark.parametrize("port", [0, 4095, 4099, 8191, 8196, 65_535, 65_536, -1])
def test_a_port_between_ranges_is_not_there(port: int) -> None:
    """Nor is one that is no port number."""
    assert port not in SEVERAL
    with pytest.raises(ValueError, match="not one of the ports"):
        SEVERAL.index(port)


def test_equal_ports_are_equal() -> None:
    """So what is made of ports once can be found again by them."""
    assert PortSet((range(4096, 4099), range(8192, 8196))) == SEVERAL
    assert hash(SEVERAL) == hash(PortSet((range(4096, 4099), range(8192, 8196))))
    assert PortSet((range(4096, 4099),)) != SEVERAL
    assert repr(SEVERAL) == "PortSet((range(4096, 4099), range(8192, 8196)))"


def test_no_block_reaches_from_one_range_into_the_next() -> None:
    """The last block of each range is shorter where it has to be (RFC 7422: one log entry for a block)."""
    blocks = Blocks(SEVERAL, 2)

    assert list(blocks) == [range(4096, 4098), range(4098, 4099), range(8192, 8194), range(8194, 8196)]
    assert [blocks.number(port) for port in SEVERAL] == [0, 0, 1, 2, 2, 3, 3]
    with pytest.raises(IndexError):
        blocks[4]
