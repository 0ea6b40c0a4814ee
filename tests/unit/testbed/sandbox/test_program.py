"""The order for a program, as its guard reads it."""

from __future__ import annotations

import pytest

from testbed.sandbox.program import Order, User


@pytest.mark.parametrize("user", [None, User(1000, 1000, (1000, 27))])
def test_an_order_is_read_as_it_was_written(user: User | None) -> None:
    """Through a file without a name, since a message has a limited size."""
    order = Order(("ls", "-l"), "/", {"PATH": "/bin" * 100_000}, user, (0, 1), (30, 100), read_only=True)

    assert Order.read(order.written()) == order


def test_an_order_has_a_command() -> None:
    """An empty one is refused before anything is started."""
    with pytest.raises(ValueError, match="at least one word"):
        Order((), "/", {})
