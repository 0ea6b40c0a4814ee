"""What the recording of a run must agree with: the gateway's own gauges, and the endpoints that servers saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testbed.recording import Event, Kind, Outcome, Phase, Recording, State, Text


def recording_of(result: dict[str, Any], folder: Path) -> Recording:
    """Return the recording of a run that was started in a folder."""
    return Recording.open(folder / result["files"]["recording"])


def require_agreement(
    result: dict[str, Any], folder: Path, *, phase: str = "fill", refusals: bool = False
) -> None:
    """Require that a run's recording agrees with every gauge, and with the servers while the pool was full.

    `phase` is the one that fills the pool. With `refusals`, each packet that found no port is an event.
    """
    recording = recording_of(result, folder)
    assert recording.is_complete
    state, seen, full = State(), set[tuple[str, int]](), set[tuple[str, int]]()
    gauges = 0
    for record in recording:
        state.apply(record)
        if isinstance(record, Event):
            if record.kind is Kind.ATTEMPT and record.reason is Outcome.ESTABLISHED and state.phase == phase:
                seen.add((record.address, record.port))
        elif record.kind == "gauges":
            gauges += 1
            _require_gauges(state, record)
            if state.phase == phase:
                full = _taken(state)
    assert gauges
    assert not state.missed
    assert full == seen
    if refusals:
        assert state.refusals.total() == result["counters"]["dropped_port_packets"]


def _require_gauges(state: State, record: Text) -> None:
    """Require that the replay has what the gateway had when it reported this."""
    gateway = record.content["gateway"]
    for protocol in ("tcp", "udp", "icmp"):
        told, counts = record.content["gauges"][protocol], state.counts(gateway, protocol=protocol)
        allocated = state.allocated(gateway, protocol)
        assert told["ports_allocated"] in (allocated, len(_taken(state, gateway, protocol))), record
        assert told.get("ports_resting", counts[Phase.RESTING]) == counts[Phase.RESTING], record
        assert told.get("ports_in_hold_down", counts[Phase.HELD_DOWN]) == counts[Phase.HELD_DOWN], record


def _taken(state: State, gateway: str = "", protocol: str = "") -> set[tuple[str, int]]:
    return {
        (pool[1], number)
        for pool, ports in state.ports.items()
        for number, port in ports.items()
        if port.mappings and gateway in (pool[0], "") and protocol in (pool[2], "")
    }
