"""The lines of a prompt by themselves: which of them only look, what can come next, and numbers in ranges."""

from __future__ import annotations

import pytest

from controller.nat.model import Limit
from controller.settings import Settings
from testbed.shell import attempts, completing
from testbed.shell.look import written
from testbed.shell.prompt import looks
from testbed.shell.refused import RefusedError
from testbed.shell.why import SET_BY


@pytest.mark.parametrize(
    "line", ["", "nodes", "help nat", "nat status", "nat events -f", "why alice", "wireshark inside", "EOF", "?"]
)
def test_a_line_that_only_looks_leaves_a_run_its_verdict(line: str) -> None:
    """Whoever is at a pause may look at everything."""
    assert looks(line)


@pytest.mark.parametrize(
    "line",
    [
        *("nat set ports 4", "nat release all", "open alice server 1", "close alice", "alice ping server"),
        *(
            "py net",
            "source f",
            "link alice gateway down",
            "dpctl dump-flows",
            "time nat release all",
            "frobnicate",
        ),
    ],
)
def test_any_other_line_may_change_something(line: str) -> None:
    """A word that is not known to look is taken for one that does not."""
    assert not looks(line)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("filtering_type", ["eif", "adf", "edf"]),
        ("refresh_inbound", ["true", "false"]),
        ("on_exhaustion", ["drop", "evict-lru", "hold", "icmp", "reset"]),
        ("icmp_code", ["1", "13"]),
        ("limit_sessions", ["null"]),
        ("udp_timeout", []),
        ("no_such_key", []),
    ],
)
def test_the_values_of_a_setting_complete_where_there_is_a_choice(key: str, values: list[str]) -> None:
    """Numbers are typed."""
    assert sorted(completing.values(key)) == sorted(values)


def test_every_limit_names_the_settings_that_make_it() -> None:
    """`why` prints them with their values."""
    assert SET_BY.keys() == set(Limit)
    for keys in SET_BY.values():
        assert {key.format("tcp") for key in keys} <= Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [([], []), ([4], [range(4, 5)]), ([3, 1, 2, 7, 6], [range(1, 4), range(6, 8)])],
    ids=["none", "one", "two ranges"],
)
def test_connections_are_closed_in_as_few_orders_as_there_are_gaps(
    numbers: list[int], ranges: list[range]
) -> None:
    """An order is for a range of numbers."""
    assert [*attempts._ranges(numbers)] == ranges


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (5, "5"), (0.5, "0.5"), ("eif", "eif"), (["192.0.2.1"], "[192.0.2.1]")],
)
def test_a_setting_is_shown_as_it_would_be_typed(value: object, text: str) -> None:
    """So that a line of the answer can be typed again."""
    assert written(value) == text


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "65"])
def test_a_number_out_of_its_range_is_refused_with_the_range(text: str) -> None:
    """Whatever was typed is repeated."""
    with pytest.raises(RefusedError, match=f"'{text}' is no number from 1 to 64"):
        attempts._number(text, most=64)
