"""The recording of a run: what happened to each port, when, and what the scenario saw meanwhile.

    from testbed.recording import Recording

    recording = Recording.open("runs/2026-01-01-port-exhaustion")
    for event in recording:
        ...
    state = recording.at(12.5)

`docs/recording.md` has the format, byte by byte.
"""

from testbed.recording.format import Event, Kind, Outcome, Refusal, Release, Text
from testbed.recording.reader import Recording, RecordingError
from testbed.recording.replay import Phase, Port, State

__all__ = [
    "Event",
    "Kind",
    "Outcome",
    "Phase",
    "Port",
    "Recording",
    "RecordingError",
    "Refusal",
    "Release",
    "State",
    "Text",
]
