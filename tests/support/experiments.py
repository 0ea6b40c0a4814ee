"""An experiment without a network: its records come back at once, and its gateway counts what it is told to."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from controller.settings import Settings
from testbed.experiment.experiment import Experiment
from testbed.experiment.parameters import Parameters
from testbed.experiment.report import Report
from testbed.sandbox.records import Channel
from testbed.traffic.records import Attempt, Sighting
from topologies.gateways.openflow.gateway import OpenFlowGateway

NOWHERE = ("", 0)


def attempt(outcome: str, *, number: int = 1, retransmissions: int = 0) -> Attempt:
    """Return an attempt that ended so."""
    return Attempt(number, number, outcome, "", NOWHERE, NOWHERE, NOWHERE, 0.0, 1.0, retransmissions)


class Told:
    """What an experiment has told so far."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._read = b""

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return the records of a kind, in their order."""
        with contextlib.suppress(BlockingIOError):
            while part := self._connection.recv(65536):
                self._read += part
        records = [json.loads(line) for line in self._read.splitlines()]
        return [record for record in records if record["kind"] == kind]

    @property
    def checks(self) -> list[dict[str, Any]]:
        """All checks."""
        return [record["check"] for record in self.records("check")]

    @property
    def check(self) -> dict[str, Any]:
        """The only check."""
        (check,) = self.checks
        return check


def experiment(
    *,
    counters: dict[str, int | None] | None = None,
    remarks: dict[str, str] | None = None,
    story: str | Path = "",
    leaks: int = 0,
    shared: tuple[int, ...] = (),
    findings: dict[str, int] | None = None,
    sent: int = 1000,
    lost: int = 1000,
    sightings: Sequence[Sighting] = (),
    senders: Sequence[Any] = (),
    pairs: Sequence[tuple[socket.socket, socket.socket]] = (),
    parameters: Parameters | None = None,
    links_lost: int = 0,
    **settings: Any,
) -> tuple[Experiment[Any], Told]:
    """Return an experiment with our gateway's behaviour under these settings, and what it tells.

    `sent` packets left the inside hosts, and `lost` of them did not come outside. `links_lost` frames were
    lost by links, as they were set.
    """
    chosen = Settings(**settings)
    ours, theirs = socket.socketpair()
    judge = SimpleNamespace(
        leaks=lambda: (leaks, set()),
        shared=lambda: set(shared),
        settle=list,
        unanswered=set,
        findings=lambda: dict(findings or {}),
        unlooked=dict,
        sees_sharing=True,
        require_complete=lambda: None,
    )
    declared = OpenFlowGateway.declare(chosen, OpenFlowGateway.Options())
    lab = SimpleNamespace(
        judge=judge,
        sample=None,
        flows=lambda: iter(()),
        seed=1,
        untranslated=[],
        is_raw=False,
        links=SimpleNamespace(lost=links_lost, together=0, keeps_order=not links_lost),
        behaviour=declared,
        behaviours={"gateway": declared},
        gateway=SimpleNamespace(counters=lambda protocol: counters or {}),
        gateways={name: SimpleNamespace(remarks=lambda said=said: said) for name, said in (remarks or {}).items()},
        clients=[SimpleNamespace(netns=name) for name in ("alice", "bob")],
        topology=SimpleNamespace(clients=[], behind={}),
        tally=SimpleNamespace(is_whole=True, sent=lambda: sent, lost=lambda: lost),
        sightings=lambda: list(sightings),
        senders=list(senders),
        receivers=[],
        pairs=list(pairs),
    )
    x: Experiment[Any] = Experiment(
        lab,  # type: ignore[arg-type] # a network takes root
        parameters or Parameters(),
        chosen,
        Report(Channel(theirs)),
        story=story,
    )
    return x, Told(ours)
