"""Asking for a neighbour by ARP, and reading its answer."""

from __future__ import annotations

import ipaddress

from topologies.network import arp


def test_a_neighbour_is_asked_for_and_its_answer_read() -> None:
    """An ARP request is no answer, and neither is another host's reply."""
    router = ipaddress.IPv4Address("100.64.0.1")
    question = arp.request(bytes(5) + b"\1", ipaddress.IPv4Address("100.64.0.2"), router)
    answer = bytearray(question)
    answer[21] = arp.REPLY
    answer[22:28], answer[28:32] = bytes.fromhex("020000000009"), router.packed

    assert arp.answered_by(bytes(answer), router) == "02:00:00:00:00:09"
    assert arp.answered_by(bytes(answer), router + 1) is None
    assert arp.answered_by(question, router) is None
    assert arp.answered_by(b"", router) is None
