"""Signals: they break off a run, and never the writing of its results."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from testbed.run import launch
from testbed.run.choices import Choices
from testbed.run.folder import Folder
from testbed.run.interruptions import INTERRUPTIONS, Interrupted, Interruptions
from testbed.run.resolve import resolve
from testbed.run.terminal import in_short
from tests.support.results import HELD, checks, finished


def test_a_signal_breaks_off_a_run_once() -> None:
    """A second signal must not disturb the end that the first one brought about."""
    interruptions = Interruptions()
    interruptions.heed()

    with pytest.raises(Interrupted, match="SIGTERM"):
        interruptions(signal.SIGTERM, None)
    interruptions(signal.SIGINT, None)


def test_a_signal_between_two_runs_breaks_off_the_next() -> None:
    """The signal waits while results are written, and is not lost."""
    interruptions = Interruptions()
    interruptions.heed()
    interruptions.defer()

    interruptions(signal.SIGINT, None)

    with pytest.raises(Interrupted, match="SIGINT"):
        interruptions.heed()


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As SIGHUP is after nohup, and SIGINT in a script's background."""
    before = {number: signal.getsignal(number) for number in INTERRUPTIONS}
    interruptions = Interruptions()
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        interruptions.install()

        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is interruptions
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_results_that_cannot_be_written_cost_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object has the reason, and the status is that of a machine that lacks something."""
    run = resolve("port-exhaustion", "openflow", Choices(), datapath="userspace")
    monkeypatch.setattr(launch, "follow", lambda *_, **__: finished(run, *checks(HELD)))
    folder = Folder(tmp_path / "out")
    (tmp_path / "out").rmdir()

    result, written = launch.carry_out(run, folder, pcap=False)

    assert (result.verdict, result.status) == ("pass", 3)
    reason = f"the results could not be written to {tmp_path}/out: No such file or directory"
    assert (written["verdict"], written["unkept"], written["files"]) == ("pass", reason, {})
    assert in_short(result, "out").endswith(f"; {reason}")
