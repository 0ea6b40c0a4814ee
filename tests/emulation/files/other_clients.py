"""Scenarios whose hosts do not behave as the scenario assumes, which its checks must notice."""

from __future__ import annotations

from typing import Any
from unittest import mock

from scenarios import churn, client_exhaustion
from scenarios.churn import Churn
from scenarios.client_exhaustion import ClientExhaustion, ClientParameters
from testbed.api import Experiment


class Unlimited(ClientExhaustion):
    """A run in which alice has all the ports of a kernel."""

    def run(self, x: Experiment[ClientParameters]) -> None:
        """Run the scenario without the limit on alice's ports."""
        with mock.patch.object(client_exhaustion, "_limit"):
            super().run(x)


class AllLimited(ClientExhaustion):
    """A run in which bob has as few ports as alice, and has used them all when the NAT is full."""

    def run(self, x: Experiment[ClientParameters]) -> None:
        """Run the scenario with the limit on the ports of all clients."""
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
