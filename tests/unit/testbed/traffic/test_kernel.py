"""How an attempt ended, by the error that its kernel names."""

from __future__ import annotations

import errno

import pytest

from testbed.traffic.kernel import IcmpError, outcome_of

MESSAGE = IcmpError(3, 13, "10.0.255.254")


@pytest.mark.parametrize(
    ("error", "icmp", "queued", "outcome"),
    [
        (errno.EHOSTUNREACH, MESSAGE, True, "icmp"),
        (errno.ECONNREFUSED, MESSAGE, True, "icmp"),
        (errno.EHOSTUNREACH, None, False, "icmp"),
        (errno.EHOSTUNREACH, None, True, "timeout"),
        (errno.ETIMEDOUT, None, True, "timeout"),
        (errno.ETIMEDOUT, None, False, "timeout"),
        (errno.ECONNREFUSED, None, True, "reset"),
        (errno.ECONNRESET, None, False, "reset"),
    ],
    ids=lambda value: errno.errorcode[value] if type(value) is int else str(value),
)
def test_an_error_has_one_outcome(error: int, icmp: IcmpError | None, queued: bool, outcome: str) -> None:
    """An error is ICMP's only with a message, or where no message could be kept: ARP finds no host as well."""
    assert outcome_of(error, icmp, queued=queued) == outcome


@pytest.mark.parametrize("error", [errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENOBUFS])
def test_what_our_own_end_lacks_is_no_outcome(error: int) -> None:
    """A shortage on our own side would be taken for the NAT's refusal."""
    with pytest.raises(OSError, match="not by the NAT") as raised:
        outcome_of(error, None)

    assert raised.value.errno == error
