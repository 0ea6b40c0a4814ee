"""A gateway's table that is read again and again becomes events."""

from __future__ import annotations

import base64
from typing import Any

from controller.recording import RECORD, Kind, RecordingPlan
from topologies.gateways.ovs_ct.gateway import tracked_mappings
from topologies.gateways.recorder import ExternalMapping, Recorder, TableReader

ALICE, BOB = (ExternalMapping("tcp", "192.0.2.1", port, f"10.0.0.{port}") for port in (1, 2))


class Sent:
    """The records for the launcher."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, kind: str, **fields: Any) -> None:
        """Keep one."""
        self.records.append((kind, fields))

    @property
    def events(self) -> list[tuple[int, ...]]:
        """Kind, address, port and subscriber of each event."""
        packed = b"".join(base64.b64decode(each["data"]) for kind, each in self.records if kind == "events")
        return [(row[1], *row[3:]) for row in RECORD.iter_unpack(packed)]


def test_differences_between_two_readings_are_events() -> None:
    """What came is allocated, and what went is released and free. What is there twice counts twice."""
    sent = Sent()
    tables = [[ALICE, ALICE], [ALICE, BOB], []]
    reader = TableReader(Recorder("nat", RecordingPlan(0.0, 3, 7, 9), ["192.0.2.1"], sent), lambda: tables.pop(0))

    for now in (1.0, 2.0, 3.0):
        reader.read(now, 0.5)

    gone = [Kind.RELEASED, Kind.FREED]
    assert [kind for kind, *_ in sent.events] == [1, 1, *gone, 1, *gone, *gone]
    assert sent.events[:3] == [(1, 3, 1, 7), (1, 3, 1, 7), (3, 3, 1, 7)]
    assert ("table", {"subscribers": [[8, "nat", "10.0.0.2"]]}) in sent.records
    rates = [fields["rate"] for kind, fields in sent.records if kind == "sample"]
    assert rates == [2.0, 2.0, 2.0]


def test_a_table_of_all_ports_that_fills_and_empties_at_once_is_recorded_whole() -> None:
    """A batch has room for fewer events: then there are several."""
    sent = Sent()
    everything = [ExternalMapping("tcp", "192.0.2.1", port, "10.0.0.1") for port in range(1024, 65_536)]
    tables = [everything, []]
    reader = TableReader(Recorder("nat", RecordingPlan(0.0, 3, 7, 9), ["192.0.2.1"], sent), lambda: tables.pop(0))

    for now in (1.0, 2.0):
        reader.read(now, 0.5)

    recorded = sent.events
    for kind in (Kind.ALLOCATED, Kind.RELEASED, Kind.FREED):
        assert sorted(port for each, _, port, _ in recorded if each == kind) == [*range(1024, 65_536)]
    assert "missed" not in {kind for kind, _ in sent.records}


def test_an_address_that_is_not_of_the_pool_is_no_event() -> None:
    """Such as that of a rule that masquerades."""
    sent = Sent()
    recorder = Recorder("nat", RecordingPlan(0.0, 3, 7, 9), ["192.0.2.77"], sent)

    TableReader(recorder, lambda: [ALICE]).read(1.0, 0.5)

    assert sent.events == []


def test_a_table_that_cannot_be_read_ends_the_recording_and_nothing_else() -> None:
    """Whatever a gateway of one's own raises."""
    sent = Sent()

    def read() -> list[ExternalMapping]:
        raise ValueError("no such table")

    TableReader(Recorder("nat", RecordingPlan(0.0, 1, 1, 9), [], sent), read)._run()

    assert sent.records == [("sample", {"gateway": "nat", "rate": 0.0, "ended": "no such table"})]


def test_the_tracker_s_connections_are_mappings() -> None:
    """The host that began it, and the destination of the answers. One that is not translated yet has its own."""
    listing = (
        "tcp,orig=(src=10.0.0.1,dst=198.51.100.1,sport=42001,dport=7),reply=(src=198.51.100.1,dst=192.0.2.1,"
        "sport=7,dport=1064),zone=1,protoinfo=(state=ESTABLISHED)\n"
        "icmp,orig=(src=10.0.0.2,dst=198.51.100.1,id=9,type=8,code=0),reply=(src=198.51.100.1,dst=192.0.2.1,id=1070,"
        "type=0,code=0),zone=1\n"
    )

    assert list(tracked_mappings(listing)) == [
        ("tcp", "192.0.2.1", 1064, "10.0.0.1"),
        ("icmp", "192.0.2.1", 1070, "10.0.0.2"),
    ]
