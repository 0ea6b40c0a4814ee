"""What cannot be forwarded costs nothing, by raw frames and by the kernels' own sockets."""

from __future__ import annotations

from tests.emulation.conftest import FILES, Run

SCENARIO = str(FILES / "admission.py")


def test_what_cannot_be_forwarded_costs_nothing_and_its_sender_learns_why(run: Run) -> None:
    """Martians, spoofed sources, used-up TTLs, damage, silent neighbours, and forged ARP replies."""
    finished = run("run", SCENARIO, "--set", "clients=3", "--json")

    assert finished.status == 0, finished.failed or finished.output + finished.complaints
