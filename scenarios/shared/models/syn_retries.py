"""When Linux gives up connecting over TCP, and how many SYNs it has sent again by then, computed from its sysctls.

It follows `tcp_write_timeout` in net/ipv4/tcp_timer.c, and the sysctls tcp_syn_retries and tcp_syn_linear_timeouts
(documented in ip-sysctl). The first timeout is a second, and so is each of the next tcp_syn_linear_timeouts, which
kernels before 6.5 do not have. After these each timeout is twice as long as the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass

LATENESS = 1 / 8
"""The share of its time by which a kernel's timer may be late: the longer, the coarser (kernel/time/timer.c)."""


@dataclass(frozen=True, slots=True)
class GivingUp:
    """When TCP gives up connecting (ETIMEDOUT): after `seconds`, and `sent_again` SYNs besides the first."""

    seconds: int
    sent_again: int

    @property
    def latest(self) -> float:
        """The most seconds until then, if the timer is late."""
        return self.seconds * (1 + LATENESS)

    @classmethod
    def computed(cls, retries: int, linear: int) -> GivingUp:
        """Compute it from tcp_syn_retries and tcp_syn_linear_timeouts.

        TCP gives up at the first timeout that comes when doubling from the start would have used up the retries,
        or when retries and linear timeouts together have been used up.
        """
        enough = (1 << retries + 1) - 1
        elapsed = wait = 1
        sent_again = 0
        while elapsed < enough and sent_again < retries + linear:
            sent_again += 1
            wait *= 1 if sent_again <= linear else 2
            elapsed += wait
        return cls(elapsed, sent_again)
