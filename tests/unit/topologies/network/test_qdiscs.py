"""The kernel's own way of putting a link under conditions, in the words of tc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from topologies.network import qdiscs
from topologies.network.conditions import Conditions
from topologies.network.qdiscs import discipline, kind


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (Conditions(rate=8e6), "tbf rate 8000000bit burst 5000 limit 1500000"),
        (Conditions(rate=64e3), "tbf rate 64000bit burst 3000 limit 1500000"),
        (Conditions(delay=0.02), "netem limit 100000 delay 20000us 0us"),
        (Conditions(delay=0.02, jitter=0.005), "netem limit 100000 delay 20000us 5000us"),
        (Conditions(loss=0.001), "netem limit 100000 loss random 0.100000%"),
        (
            Conditions(delay=0.02, loss=0.01, reordering=0.25, rate=12e6),
            "netem limit 1020 delay 20000us 0us loss random 1.000000% reorder 25.000000% rate 12000000bit",
        ),
    ],
)
def test_conditions_are_written_as_tc_takes_them(conditions: Conditions, words: str) -> None:
    """A rate alone is tbf's, and everything else netem's."""
    assert discipline(conditions) == words
    assert words.startswith(kind(conditions))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root loads modules")
def test_ifb_is_loaded_without_a_device_in_the_machine_s_network_and_never_by_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel that loads it for a trial makes ifb0 and ifb1. So nothing is tried where it is not loaded."""
    for program in ("modprobe", "ip", "tc"):
        (tmp_path / program).write_text(f"#!/bin/sh\necho {program} $* >> {tmp_path}/called\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(qdiscs, "_MODULE", tmp_path / "ifb")

    qdiscs.load()
    assert "no module ifb" in qdiscs.lacking(Conditions(delay=0.1))
    assert (tmp_path / "called").read_text() == "modprobe --quiet ifb numifbs=0\n"
    (tmp_path / "ifb").mkdir()
    qdiscs.load()
    assert qdiscs.lacking(Conditions(delay=0.1)) == ""
    assert (tmp_path / "called").read_text().count("modprobe") == 1
