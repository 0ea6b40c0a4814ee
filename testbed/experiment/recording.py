"""The sandbox's part in the recording of a run: what its gateways and its clients report, as records.

Each gateway has indexes of its own for external addresses and subscribers, so that gateways need not ask one
another. The clients of attempts have the rest.
"""

from __future__ import annotations

import base64
from typing import Any, Protocol

from controller.recording import PROTOCOLS, RECORD, Batch, Kind, RecordingPlan
from testbed.experiment.building import Network
from testbed.traffic.records import Attempt
from topologies.gateways.recorder import Recorder

INDEXES = 65_535
MOST_BYTES = 96 << 20
"""The most bytes of events in a run, in base64: some 6 million. The rest is missed, since records have a limit."""
OUTCOMES = {"established": 1, "unanswered": 2, "timeout": 3, "icmp": 4, "reset": 5}
"""What a client can see become of an attempt, as the reason of an event. `testbed/recording` has the others."""
ATTEMPTS_AT_ONCE = 5_000


class Sink(Protocol):
    """What takes the records: the channel to the launcher."""

    def send(self, kind: str, **fields: Any) -> None:
        """Take one record."""


class Recorders:
    """The recorders of all gateways, and of the clients' attempts."""

    def __init__(self, channel: Sink, started: float) -> None:
        self._channel = channel
        self._started = started
        self._sent_bytes = 0
        self._addresses: dict[str, int] = {}
        self._gateway_of: dict[str, str] = {}
        self._batches: dict[str, Batch] = {}

    def start(self, network: Network) -> None:
        """Have each gateway hand on its events from now on. What each knows of them is sent first."""
        share = INDEXES // (2 * len(network.gateways))
        first_address, first_subscriber = 1, 1
        rows: list[tuple[int, str, str]] = []
        known: dict[str, Any] = {}
        for name, gateway in network.gateways.items():
            external = [str(each) for each in network.external[name]]
            plan = RecordingPlan(self._started, first_address, first_subscriber, share)
            mine = {address: first_address + place for place, address in enumerate(external)}
            rows += [(index, name, address) for address, index in mine.items()]
            self._addresses |= mine
            first_address += len(external)
            self._batches[name] = Batch(
                RecordingPlan(self._started, 0, first_subscriber + share, share), ATTEMPTS_AT_ONCE
            )
            first_subscriber += 2 * share
            knows = gateway.record(Recorder(name, plan, external, self._send))
            known[name] = {
                "addresses": external,
                "knows": [kind.name for kind in (*knows.kinds, Kind.ATTEMPT)],
                "how": knows.how,
            }
        topology = network.topology
        self._gateway_of = {
            str(address): topology.behind[client]
            for place, client in enumerate(topology.clients)
            for address in topology.sources(place)
        }
        self._channel.send("recording", gateways=known)
        self._channel.send("table", addresses=rows)

    def attempts(self, protocol: str, attempts: list[Attempt]) -> None:
        """Record what became of attempts, each at the time when its client knew."""
        number = PROTOCOLS.index(protocol)
        details = {outcome: number | reason << 4 for outcome, reason in OUTCOMES.items()}
        for attempt in sorted(attempts, key=lambda attempt: attempt.done_at):
            source = attempt.source[0]
            gateway = self._gateway_of.get(source)
            if gateway is None:
                continue
            batch = self._batches[gateway]
            if batch.is_full:
                self._hand_on(gateway)
            address, port = attempt.seen
            index = self._addresses.get(address, 0)
            ticks, detail = batch.plan.ticks(attempt.done_at), details.get(attempt.outcome, number)
            subscriber = batch.subscriber(source)
            batch.append(RECORD.pack(ticks, Kind.ATTEMPT, detail, index, port if index else 0, subscriber))
        for name in self._batches:
            self._hand_on(name)

    def _hand_on(self, gateway: str) -> None:
        events, missed, subscribers = self._batches[gateway].take()
        recorder = Recorder(gateway, self._batches[gateway].plan, (), self._send)
        recorder.packed(base64.b64encode(events).decode(), missed, subscribers)

    def _send(self, kind: str, **fields: Any) -> None:
        """Send a record, unless there were too many events."""
        data = fields.get("data", "")
        if self._sent_bytes + len(data) > MOST_BYTES:
            self._channel.send("missed", gateway=fields["gateway"], events=len(data) // 16)
        else:
            self._sent_bytes += len(data)
            self._channel.send(kind, **fields)
