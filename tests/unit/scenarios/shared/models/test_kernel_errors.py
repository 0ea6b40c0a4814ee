"""What a program gets from its kernel, by what came back for its packet."""

from __future__ import annotations

import pytest

from scenarios.shared.models.kernel_errors import returned

NAT = "10.0.255.254"


@pytest.mark.parametrize(
    ("outcome", "protocol", "error"),
    [
        ("timeout", "tcp", "ETIMEDOUT"),
        ("timeout", "udp", "nothing"),
        ("timeout", "icmp", "nothing"),
        ("reset", "tcp", "ECONNREFUSED"),
        ("reset", "udp", "ECONNREFUSED"),
    ],
)
@pytest.mark.parametrize("queue", [False, True])
def test_silence_and_resets_are_the_same_with_the_error_queue_and_without(
    outcome: str, protocol: str, error: str, queue: bool
) -> None:
    """Nothing is known but the error number."""
    assert returned(outcome, protocol, icmp_code=13, sender=NAT, queue=queue) == error


@pytest.mark.parametrize(
    ("protocol", "queue", "code", "error"),
    [
        ("tcp", False, 13, "EHOSTUNREACH, ICMP 3/13 from 10.0.255.254"),
        ("tcp", False, 1, "EHOSTUNREACH, ICMP 3/1 from 10.0.255.254"),
        ("udp", False, 13, "EHOSTUNREACH"),
        ("udp", False, 1, "nothing"),
        ("icmp", False, 1, "nothing"),
        ("udp", True, 1, "EHOSTUNREACH, ICMP 3/1 from 10.0.255.254"),
        ("icmp", True, 13, "EHOSTUNREACH, ICMP 3/13 from 10.0.255.254"),
    ],
)
def test_an_icmp_error_names_its_sender_to_tcp_and_to_the_error_queue(
    protocol: str, queue: bool, code: int, error: str
) -> None:
    """Without the queue UDP and ping get a number, and for a soft error nothing."""
    assert returned("icmp", protocol, icmp_code=code, sender=NAT, queue=queue) == error
