"""The gateway ovs-ct in a real lab.

The mutation is its own option `guard`: without it, a packet that gets no port leaves with its inside address.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run
from tests.support.recordings import require_agreement

FILES = Path(__file__).parent / "files"
SMALL = ("port-exhaustion", "--gateway", "ovs-ct", "--set", "ports=64", "--json")


@pytest.mark.parametrize("protocol", ["tcp", pytest.param("udp", marks=pytest.mark.deep)])
def test_as_many_attempts_as_ports_are_established(run: Run, tmp_path: Path, protocol: str) -> None:
    """Of up to 128 ports the last free one is found. Further attempts get no answer.

    The recording agrees with what the servers saw.
    """
    finished = run("run", *SMALL, "--set", f"protocol={protocol}")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 64
    assert finished.result["outcomes"]["timeout"] == 16
    require_agreement(finished.result, tmp_path)


@pytest.mark.deep
def test_without_the_guard_refused_attempts_leak(run: Run) -> None:
    """Each refused attempt leaks, and only the check of leaks fails."""
    finished = run("run", *SMALL, "--set", "guard=false")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.result["outcomes"]["leaked"] == 16
    failed = [check["claim"] for check in finished.result["checks"] if not check["ok"]]
    assert failed == ["no packet left untranslated"]


def test_queries_cannot_run_out(run: Run) -> None:
    """ICMP keeps the identifiers that hosts chose: the experiment is refused."""
    refused = run("run", *SMALL, "--set", "protocol=icmp")

    assert refused.status == 2
    assert "keep the identifiers that their hosts chose" in refused.complaints
