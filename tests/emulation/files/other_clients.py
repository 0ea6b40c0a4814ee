"""Scenarios with hosts that are not as they say, which they must notice."""

from __future__ import annotations

from typing import Any
from unittest import mock

from scenarios import churn, client_exhaustion
from scenarios.churn import Churn
from scenarios.client_exhaustion import ClientExhaustion, ClientParameters
from testbed.api import Experiment


class Unlimited(ClientExhaustion):
    """Alice has all the ports that a kernel has."""

    def run(self, x: Experiment[ClientParameters]) -> None:
        """Limit nobody."""
        with mock.patch.object(client_exhaustion, "_limit"):
            super().run(x)


class AllLimited(ClientExhaustion):
    """Bob has as few ports as alice, and has used them all when the NAT is full."""

    def run(self, x: Experiment[ClientParameters]) -> None:
        """Limit everybody."""
        limit = client_exhaustion._limit

        def limit_all(host: Any, ports: int) -> None:
            for each in x.lab.clients:
                limit(each, ports)

        with mock.patch.object(client_exhaustion, "_limit", limit_all):
            super().run(x)


class Persistent(Churn):
    """Who is refused stays until its kernel has tried once more."""

    def run(self, *arguments: Any) -> None:
        """Be patient."""
        with mock.patch.object(churn, "FIRST_SYN_S", 1.5):
            super().run(*arguments)
