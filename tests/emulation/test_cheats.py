"""NATs that cheat on the wire, each found out by the one check that is named for it."""

from __future__ import annotations

from testbed.evidence.findings import CLAIMS
from tests.emulation.conftest import FILES, SMALL, Run

CHEATS = str(FILES / "wire_cheats.py")


def test_each_deceit_on_the_wire_moves_the_one_finding_that_is_about_it(run: Run) -> None:
    """An honest phase moves none. The findings are checks of every run, so all of them are red in the end."""
    finished = run("run", f"{CHEATS}", "--gateway", f"{CHEATS}:Rogue", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.result["series"]["moved"] == {
        "": [],
        "spoofs_sources": ["sources"],
        "passes_arp_on": ["sources"],
        "solicits_routers": ["sources"],
        "copies_to_another_server": ["astray-outside"],
        "shows_another_server": ["astray-outside"],
        "answers_bob_for_alice": ["astray-inside"],
        "floods_the_lan": ["astray-inside"],
        "answers_bob_in_another_ethertype": ["astray-inside"],
        "answers_bob_in_a_vlan": ["astray-inside"],
        "tunnels_to_the_server": ["protocols"],
        "tunnels_to_bob": ["protocols"],
        "doubles_in_fragments": ["fragmented"],
        "quotes_inside_addresses": ["quoted"],
        "accepts_in_the_server_s_name": ["unanswered"],
        "accepts_and_resets": ["unanswered"],
        "answers_in_the_server_s_name": ["unanswered"],
    }
    red = {check["key"] for check in finished.result["checks"] if not check["ok"]}
    of_packets = {
        "frames-doubled",
        "frames-damaged",
        "frames-unsent",
    }  # as other judges see its copies
    assert red - of_packets == {*CLAIMS}


def test_connections_in_the_server_s_name_are_unanswered(run: Run) -> None:
    """Each attempt without a port has a connection that the server never knew of: no timeout, as it was before."""
    finished = run("run", "port-exhaustion", *SMALL, "--gateway", f"{CHEATS}:Forger", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    counts = {outcome: count for outcome, count in finished.result["outcomes"].items() if count}
    assert counts == {"established": 16, "unanswered": 8}
    assert not finished.check("in the name of a server that never knew of it")["ok"]
