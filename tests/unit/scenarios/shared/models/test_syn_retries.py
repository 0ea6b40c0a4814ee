"""When TCP gives up connecting, by its sysctls."""

from __future__ import annotations

import pytest

from scenarios.shared.models.syn_retries import GivingUp


@pytest.mark.parametrize(
    ("retries", "linear", "seconds", "sent_again"),
    [
        (1, 0, 3, 1),
        (2, 0, 7, 2),
        (6, 0, 127, 6),
        (1, 1, 4, 2),
        (1, 4, 3, 2),
        (2, 4, 7, 5),
        (3, 4, 19, 7),
        (6, 4, 131, 10),
    ],
)
def test_tcp_gives_up_at_the_first_timeout_after_the_time_of_doubling(
    retries: int, linear: int, seconds: int, sent_again: int
) -> None:
    """Measured on Linux 6.18 for up to three retries; six with four linear ones are in the kernel's ip-sysctl."""
    assert GivingUp.computed(retries, linear) == GivingUp(seconds, sent_again)


def test_a_late_timer_of_the_kernel_gives_up_an_eighth_later_at_most() -> None:
    """The timer wheel is coarser the farther away a timer is."""
    assert GivingUp(seconds=8, sent_again=3).latest == 9
