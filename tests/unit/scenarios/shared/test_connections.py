"""Connections that are made one after the other."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.shared.connections import one_by_one

NOT_LONG_S = 0.05


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a network namespace")
def test_a_client_tries_again_as_long_as_the_server_remembers_ever_less() -> None:
    """A NAT may send each SYN to the next port that the server remembers, and each costs the server one."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        nobody: Any = SimpleNamespace(target=full.getsockname(), listeners=lambda: [])
        remembered = iter([5, 4, 4, 2, 2, 2])

        first, second, last = one_by_one("/proc/self/ns/net", nobody, 8, NOT_LONG_S, lambda: next(remembered))

    assert [each.fileno() for each in (first, second)] == [-1, -1]
    assert last.waits
    last.close()
