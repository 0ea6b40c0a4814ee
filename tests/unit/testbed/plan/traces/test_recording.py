"""A recording of lastport's own as a trace."""

from __future__ import annotations

import contextlib
import gzip
import random
from pathlib import Path

import pytest

from controller.settings import ConfigurationError, Settings
from testbed.plan.arrivals import Ending
from testbed.plan.traces.reading import read
from tests.support.paths import ROOT

EXAMPLES = ROOT / "docs" / "examples" / "traces"
NAT = Settings().for_nat()
ODD = (b"\t", b"\n", b"-1", b"\xff", b"#separator \\x", b"{")


WHOLE = (EXAMPLES / "recording.gz").read_bytes()
RAW = gzip.decompress(WHOLE)


def test_each_mapping_and_each_refusal_is_an_attempt() -> None:
    """Those that a host has closed end so, and the others in silence; a recording has no destinations."""
    trace = read(EXAMPLES / "recording.gz", NAT)

    assert len(trace.records) == 24
    assert {record.ending for record in trace.records} == {Ending.FIN, Ending.SILENCE}
    assert len({record.destination for record in trace.records}) == 1


def test_a_recording_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    """As that of a run that was killed."""
    file = tmp_path / "recording.gz"
    file.write_bytes(WHOLE[: len(WHOLE) // 2])

    assert len(read(file, NAT).records) == 12


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (WHOLE[:10] + bytes(40) + WHOLE[50:], "is no gzip stream, or is damaged"),
        (gzip.compress(b"no recording"), "ends before its header"),
        (gzip.compress(RAW[:60] + b"\xff" * 30 + RAW[90:]), "has a text that is no JSON"),
    ],
    ids=["damaged", "another file", "another text"],
)
def test_a_damaged_recording_is_refused_with_the_reason(data: bytes, reason: str, tmp_path: Path) -> None:
    """Nothing of it is planned with."""
    file = tmp_path / "recording.gz"
    file.write_bytes(data)

    with pytest.raises(ConfigurationError, match=reason):
        read(file, NAT)


@pytest.mark.parametrize("name", [each.name for each in sorted(EXAMPLES.iterdir())])
def test_what_is_damaged_by_chance_is_read_or_refused(name: str, tmp_path: Path) -> None:
    """A file of any kind, and never by an error of ours."""
    rng, whole = random.Random(name), (EXAMPLES / name).read_bytes()
    file = tmp_path / name
    for _ in range(60):
        data = bytearray(whole[: rng.randrange(20, len(whole))])
        for _ in range(rng.randrange(1, 5)):
            place = rng.randrange(len(data))
            data[place : place + rng.randrange(4)] = rng.choice(ODD)
        file.write_bytes(data)
        with contextlib.suppress(ConfigurationError):
            read(file, NAT)
