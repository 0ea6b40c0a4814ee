"""Bench `watch`: what it costs the set-up rate to record a run, and to watch it in a browser as well.

Each trial opens new flows as bench `setup` does, on one gateway. In `recorded` the run is recorded as every run of
`lastport run` is. In `watched` the page's server runs beside it, and a viewer takes the recording while it grows.
The viewer draws nothing: that is the work of a browser, which may be on another machine.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from benchmarks.setup_rate import SettingUp
from testbed.bench.bench import Bench, BenchError, Parameters, Ratio, Trial
from testbed.bench.in_lab import LabTrial, lab_trial
from testbed.experiment.plan import Run
from testbed.run.folder import Folder
from testbed.run.launch import follow
from testbed.run.recorder import Recorder
from testbed.run.results import Result
from testbed.web.about import about_plan
from testbed.web.listening import listen
from testbed.web.watching import Web

VIEWS_WITHIN_S = 10.0
PIECE_BYTES = 1 << 16


class WatchParameters(Parameters):
    """What a user may choose about this bench."""

    gateway: Literal["openflow", "netfilter", "ovs-ct"] = Field("openflow", description="gateway")
    protocols: list[Literal["udp", "tcp"]] = Field(["udp", "tcp"], description="protocols")
    window: int = Field(16000, strict=True, ge=1, le=16000, description="new flows that are timed")


@dataclass(frozen=True)
class Recorded(LabTrial):
    """A trial whose run is recorded."""

    def followed(self) -> Result:
        """Carry out the run, with a recording that is thrown away."""
        return _recorded(self.run, lambda data: None)


@dataclass(frozen=True)
class Watched(LabTrial):
    """A trial whose run is recorded and watched."""

    def followed(self) -> Result:
        """Carry out the run, with a viewer who takes all of its recording."""
        written: list[int] = []

        def hand_on(data: bytes) -> None:
            written.append(len(data))
            viewed.write(data)

        with Web(listen(port=0)) as web:
            viewed = web.begin(self.title, about_plan(self.run))
            viewer = _Viewer(web.url)
            viewer.start()
            try:
                result = _recorded(self.run, hand_on)
            finally:
                viewed.close()
            viewer.join(VIEWS_WITHIN_S)
        if not result.error and viewer.taken != sum(written):
            raise BenchError(f"{self.title}: the viewer did not get the whole recording")
        return result


def _recorded(run: Run, hand_on: Callable[[bytes], None]) -> Result:
    """Carry out a run, with a recording that is thrown away. `hand_on` gets its bytes as they come."""
    with tempfile.TemporaryDirectory(prefix="lastport-") as folder:
        recorder = Recorder(run, Folder(Path(folder)), follow=hand_on)
        try:
            return follow(run, lambda record: None, captures={}, recorder=recorder)
        finally:
            recorder.close()


class _Viewer(threading.Thread):
    """Takes the recording that the page's server has, until it ends. `taken` is the number of bytes."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._place = urlsplit(url)
        self.taken = 0

    def run(self) -> None:
        """Find the recording in the list of them, and read it."""
        assert self._place.hostname is not None
        with contextlib.closing(http.client.HTTPConnection(self._place.hostname, self._place.port)) as server:
            server.request("GET", f"{self._place.path}recordings")
            with server.getresponse() as listed:
                recordings = next(line for line in listed if line.startswith(b"data: [{"))
            (recording,) = json.loads(recordings.removeprefix(b"data: "))
            server.close()
            server.request("GET", f"{self._place.path}recordings/{recording['key']}")
            with server.getresponse() as growing:
                while piece := growing.read1(PIECE_BYTES):
                    self.taken += len(piece)


class Watch(Bench):
    """What does it cost the set-up rate to record a run, and to watch it?"""

    name = "watch"
    Parameters = WatchParameters
    subjects = ("alone", "recorded", "watched")
    ratios = (Ratio("recorded", "alone", "flows/s"), Ratio("watched", "alone", "flows/s"))

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial for each protocol and each manner."""
        kinds = {"alone": LabTrial, "recorded": Recorded, "watched": Watched}
        sets = {"fills": [0.0], "window": parameters.window}
        return [
            kinds[subject](subject, trial.run, trial.title)
            for protocol in parameters.protocols
            for subject in kinds
            for trial in [
                lab_trial(
                    subject,
                    scenario=f"{Path(__file__).with_name('setup_rate.py')}:{SettingUp.__name__}",
                    gateway=parameters.gateway,
                    sets={**sets, "protocol": protocol},
                    title=f"{parameters.gateway} {subject}, {protocol}",
                )
            ]
        ]
