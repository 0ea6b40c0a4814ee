"""The scenario client-exhaustion with hosts that are not as it says, which it must notice."""

from __future__ import annotations

from typing import Any
from unittest import mock

from scenarios import client_exhaustion
from scenarios.client_exhaustion import ClientExhaustion, ClientParameters
from scenarios.lab import Lab


class Unlimited(ClientExhaustion):
    """Alice has all the ports that a kernel has."""

    def run(self, lab: Lab, parameters: ClientParameters, *rest: Any) -> None:
        """Limit nobody."""
        with mock.patch.object(client_exhaustion, "_limit"):
            super().run(lab, parameters, *rest)


class AllLimited(ClientExhaustion):
    """Bob has as few ports as alice, and has used them all when the NAT is full."""

    def run(self, lab: Lab, parameters: ClientParameters, *rest: Any) -> None:
        """Limit everybody."""
        limit = client_exhaustion._limit

        def limit_all(host: Any, ports: int) -> None:
            for each in lab.clients:
                limit(each, ports)

        with mock.patch.object(client_exhaustion, "_limit", limit_all):
            super().run(lab, parameters, *rest)
