"""The kernel's table of connections: what is read of each message."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.topologies.gateways.conntrack.test_events import NEW, attribute, message
from topologies.gateways.conntrack.messages import Change
from topologies.gateways.conntrack.table import entry


def in_state(state: int) -> bytes:
    """Return a message about a TCP connection in a state, behind attributes of other lengths."""
    tcp = attribute(1, attribute(1, bytes([state])), attribute(2, b"\x07"), nested=True)
    told = message(NEW) + attribute(3, b"12345") + attribute(4, tcp, nested=True)
    return struct.pack("=I", len(told)) + told[4:]


@pytest.mark.parametrize(
    ("state", "change"),
    [(1, Change.NEW), (3, Change.NEW), (6, Change.NEW), (7, Change.CLOSING), (8, Change.CLOSING)],
    ids=["SYN_SENT", "ESTABLISHED", "LAST_ACK", "TIME_WAIT", "CLOSE"],
)
def test_a_connection_that_has_ended_for_both_sides_is_closing(state: int, change: Change) -> None:
    """As the kernel's messages have it while it happens."""
    found = entry(in_state(state))

    assert found is not None
    assert (found.change, found.port) == (change, 1030)


@pytest.mark.parametrize("protocol", [1, 17])
def test_a_connection_without_states_is_never_closing(protocol: int) -> None:
    """It has no such attribute."""
    found = entry(message(NEW, protocol=protocol))

    assert found is not None
    assert found.change is Change.NEW


@given(st.binary(max_size=60))
def test_any_attributes_are_read(data: bytes) -> None:
    """The kernel of another version may have others."""
    assert entry(message(NEW) + data) is not None
