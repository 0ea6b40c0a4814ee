"""`lastport shell` and `run --pause`: Mininet's prompt in a lab, at a real terminal, and with a script."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulation.conftest import COMMAND, DEADLINE_S, SMALL, Run
from tests.support.boxes import box
from tests.support.paths import ROOT
from tests.support.processes import awaited, descendants, gone, one
from tests.support.prompts import Terminal
from tests.support.sessions import alike, begun, command, session, typed

PAGE = (ROOT / "docs/how/shell.md").read_text()
HOME = ("home", "--set", "clients=2", "--set", "ports=8", "--set", "on_exhaustion=icmp")


def script(
    *lines: str, options: tuple[str, ...] = HOME, word: str = "shell", cwd: Path = ROOT, environment: Any = None
) -> Any:
    """Run a script at the prompt, and return what has ended."""
    return subprocess.run(
        [*COMMAND, word, *options],
        cwd=cwd,
        env=environment,
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=DEADLINE_S,
        check=False,
    )


def opened(*arguments: str) -> Terminal:
    """Return a terminal with the prompt in it."""
    return begun(shlex.join([*COMMAND, *arguments]) + "; echo status $?")


@pytest.fixture
def terminal(before: dict[str, Any]) -> Iterator[Terminal]:
    """Return a terminal with the prompt of a small network in it."""
    terminal = opened("shell", *HOME)
    yield terminal
    terminal.close()


def test_the_session_of_the_page_is_what_is_seen_at_a_real_terminal(before: dict[str, Any]) -> None:
    """Each line is typed, and answered as the page shows it, whatever the figures. Ctrl-D ends it."""
    terminal = begun(f"{command(PAGE)}; echo status $?")
    try:
        for line, answer in session(PAGE):
            assert alike(typed(terminal, line)) == alike(answer), line
        terminal.type("\x04")
        terminal.shows("status 0")
    finally:
        terminal.close()


def test_a_script_goes_on_after_a_line_that_failed_and_its_exit_status_says_so(before: dict[str, Any]) -> None:
    """Answers are on standard output, and what is wrong is on standard error. A refused attempt is an answer."""
    done = script(
        "open alice server 10",
        "nat frobnicate",
        "frobnicate",
        "alice false",
        "alice true ; echo said $((40 + 2))",
        "source /no/such/file",
        "nodes",
        "nat set log mappings",
        "gr\udcff\udcfe\0",
        "x" * 100_000,
    )

    assert done.returncode == 1
    assert "alice opened 8 of 10 tcp connections to server; 2 failed (2 icmp type 3 code 13" in done.stdout
    assert "said 42" in done.stdout
    assert "alice bob gateway mirror server" in done.stdout
    wrong = done.stderr.splitlines()
    assert wrong[0].startswith("nat frobnicate: it is nat status | ports")
    assert wrong[1] == "*** Unknown command: frobnicate"
    assert "setting log is not possible at the prompt: it is written when the run is over" in done.stderr
    assert "*** Unknown command: gr\\xff\\xfe" in done.stderr
    assert "a line has at most 65,535 characters; take a file of lines" in done.stderr
    assert wrong[-1] == "lastport: lines of the script that failed: 7"


@pytest.mark.deep
def test_a_script_ends_when_nobody_reads_its_answers() -> None:
    """As any program in a pipe does, however many lines there are."""
    line = f"yes nat status | {shlex.join([*COMMAND, 'shell', *HOME])} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )

    assert done.stdout == "gateway (openflow)\n"
    assert "Error" not in done.stderr


@pytest.mark.deep
def test_a_script_without_a_failure_ends_well_and_keeps_what_it_is_asked_to_keep(tmp_path: Path) -> None:
    """`--out` has the results, of which one check is that nothing leaked."""
    done = script("open alice server 3", options=(*HOME, "--out", str(tmp_path / "kept")))

    assert (done.returncode, done.stderr.strip()) == (
        0,
        f"lastport: the prompt is over; what is kept of it is in {tmp_path / 'kept'}",
    )
    results = json.loads((tmp_path / "kept" / "results.json").read_text())
    assert (results["scenario"], results["verdict"]) == ("shell", "pass")
    assert {check["key"] for check in results["checks"]} == {"script", "leaks"}
    assert {each.name for each in (tmp_path / "kept").iterdir()} == {"results.json", "report.html", "recording.gz"}


# At a terminal


@pytest.mark.deep
def test_ctrl_c_ends_what_runs_and_not_the_lab(terminal: Terminal) -> None:
    """A host's command, events that are followed, and a line that is typed."""
    terminal.type("alice ping server\n")
    terminal.shows("icmp_seq=2")
    terminal.type("\x03")
    terminal.shows("\nmininet> ")
    terminal.type("nat events -f\n")
    terminal.shows("icmp 192.0.2.1:")
    terminal.type("\x03")
    terminal.shows("Interrupt\r\nmininet> ")
    terminal.type("nat sta")
    terminal.shows("nat sta")
    terminal.type("\x03")
    terminal.shows("Interrupt\r\nmininet> ")

    assert typed(terminal, "open bob server 2") == ["bob opened 2 of 2 tcp connections to server"]
    terminal.type("exit\n")
    terminal.shows("status 0")


@pytest.mark.deep
def test_ctrl_z_stops_lastport_and_fg_draws_the_line_again_while_the_lab_went_on(terminal: Terminal) -> None:
    """The shell has its own terminal meanwhile, with echo."""
    terminal.type("\x1a")
    terminal.shows("Stopped")
    terminal.type("stty -a | grep -o -- ' [-]*echo '\n")
    terminal.shows(" echo ")
    terminal.type("fg\n")
    terminal.shows("mininet> ")

    assert typed(terminal, "open bob server 2") == ["bob opened 2 of 2 tcp connections to server"]


@pytest.mark.deep
def test_the_tab_key_completes_words_hosts_and_settings(terminal: Terminal) -> None:
    """What is typed is carried out as if it were written in full."""
    terminal.type("open al\t ser\t 1\n")
    terminal.shows("alice opened 1 of 1 tcp connections to server")
    terminal.shows("mininet> ")
    terminal.type("nat set filtering_t\t e\t\t")
    terminal.shows("edf")
    terminal.type("\x15\n")
    terminal.shows("mininet> ")
    terminal.type("nat mapp\t ali\t\n")
    terminal.shows("gateway: 1 mapping of alice")


@pytest.mark.deep
@pytest.mark.parametrize("victim", [" shell ", "unshare", "testbed.sandbox.init"])
def test_kill_9_of_the_launcher_or_of_the_sandbox_leaves_nothing(terminal: Terminal, victim: str) -> None:
    """No process, and so no namespace and no bridge."""
    typed(terminal, "open alice server 2")
    launcher = one(descendants(terminal.shell.pid), " shell ")
    family = descendants(launcher)
    assert {"ovs-vswitchd"} <= {each.split()[0] for each in family.values()}

    os.kill(one(family, victim), signal.SIGKILL)

    awaited(lambda: gone({pid: each for pid, each in family.items() if pid != launcher}), "its processes to end")
    terminal.shows("status ")


@pytest.mark.deep
@pytest.mark.parametrize(
    ("victim", "sentence"),
    [
        ("-m controller ", "lastport: gateway's controller was killed by SIGKILL"),
        ("ovs-vswitchd unix:", "lastport: ovs-vswitchd was killed by SIGKILL"),
    ],
)
def test_what_dies_is_told_at_the_prompt_which_gives_the_terminal_back(
    terminal: Terminal, victim: str, sentence: str
) -> None:
    """The prompt ends with the lab: its exit status is that of a run that broke."""
    os.kill(one(descendants(terminal.shell.pid), victim), signal.SIGKILL)

    terminal.shows(sentence)
    terminal.shows("status 4")
    terminal.type("stty -a | grep -o -- ' [-]*echo '\n")
    terminal.shows(" echo ")


@pytest.mark.deep
def test_the_page_shows_the_lab_while_the_prompt_is_open(before: dict[str, Any]) -> None:
    """`--web` prints a URL, which is served until the prompt is left."""
    terminal = opened("shell", *HOME, "--web", "--web-port", "0")
    try:
        seen = terminal._read()
        (url,) = [word for word in seen.split() if word.startswith("http")]
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as page:
            assert page.status == 200
        terminal.type("exit\n")
        terminal.shows("status 0")
    finally:
        terminal.close()


# Every word on every gateway

EXAMPLES = ROOT / "docs/examples"
GATEWAYS: dict[str, tuple[str, ...]] = {
    "openflow": (),
    "netfilter": (),
    "ovs-ct": (),
    "slirp": (),
    "passt": (),
    "app": ("--set", f"app={EXAMPLES / 'apps/half_the_pool.py'}"),
    "program": (
        "--set",
        f"program=python3 {ROOT / 'docs/examples/programs/packet_nat.py'} {{inside}} {{outside}}",
    ),
    "box": ("--set", "ports=16"),
}


@pytest.fixture
def choices(gateway: str) -> Iterator[tuple[str, ...]]:
    """Return what is chosen of a gateway, which is there: a box is made for the test."""
    with box() if gateway == "box" else contextlib.nullcontext() as device:
        more = ("--gateway", gateway) if device is None else device.choices
        yield ("edge", *more, "--set", "clients=2", "--set", "ports=64", *GATEWAYS[gateway])


@pytest.mark.deep
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_every_word_on_every_gateway_is_an_answer_or_a_sentence(
    gateway: str, choices: tuple[str, ...], tmp_path: Path
) -> None:
    """The table in docs/how/shell.md has a line for each word, and a column for each gateway."""
    words = [
        *("open alice server 4", "open bob server 1 udp", "nat status", "nat ports", "nat mappings alice"),
        *("nat set ports 32", "nat events", "why alice", "wireshark alice", "close alice 1", "nat release all"),
    ]
    done = script(*words, options=choices, cwd=tmp_path)

    assert "Traceback" not in done.stdout + done.stderr
    assert "alice opened 4 of 4 tcp connections to server" in done.stdout
    assert "alice closed 1 connection, and has 3 open" in done.stdout
    walled = gateway in ("app", "program")
    assert (tmp_path / "alice-1.pcapng").exists() is not walled
    assert ("no capture can be written to" in done.stderr) is walled
    rows = [
        [cell.strip() for cell in row.strip("|\n").split("|")]
        for row in PAGE.splitlines()
        if row.startswith("| `")
    ]
    head = next(row for row in PAGE.splitlines() if row.startswith("| word | openflow")).strip("|").split("|")
    assert [name.strip() for name in head[1:]] == [*GATEWAYS]
    column = head.index(f" {gateway} ")
    can = {row[0].strip("`"): row[column] for row in rows if len(row) == len(head)}
    for word, sentence in (
        ("nat mappings", "it keeps its table to itself, so its mappings are not known here"),
        ("nat set", "it reads its settings once, when it starts"),
        ("nat release", "nobody but itself can end one of its mappings"),
        ("nat events", "nothing reports what becomes of its ports"),
    ):
        assert (f"gateway: {sentence}" in done.stderr) is (can[word] == "no"), (word, done.stderr)
    assert ("it does not tell which of its ports are in use" in done.stdout) is (can["nat ports"] == "no")
    assert ("counters  it has none that could be read" in done.stdout) is (can["nat status"] == "settings")
    assert ("alice sees its tcp attempt" in done.stdout or "10.0.0.1 sees" in done.stdout) is (
        can["nat events"] != "no"
    )
    assert (can["wireshark"] == "`--pcap`") is walled
    assert done.returncode == (1 if "no" in can.values() else 0)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("gateway", "counter"),
    [("openflow", "dropped_port_limit_packets"), ("netfilter", "dropped_port_limit_packets"), ("ovs-ct", "")],
)
def test_why_names_the_limit_the_rule_and_the_counter(gateway: str, counter: str) -> None:
    """Open vSwitch has no quota, and runs out of ports."""
    limit = "nat set port_quota 2" if counter else "nat set ports 3"
    options = ("home", "--gateway", gateway, "--set", "clients=2", "--set", "ports=64")
    done = script(limit, "open alice server 5", "why alice", "why bob", options=options)

    assert "; 3 failed (3 timeout)" in done.stdout or "; 2 failed (2 timeout)" in done.stdout
    assert f"counter  {counter or 'dropped_port_packets'}=" in done.stdout
    assert {"openflow": "table 1 of the switch", "netfilter": "ct count over 2", "ovs-ct": "actions=drop"}[
        gateway
    ] in done.stdout
    if gateway == "openflow":
        assert "gateway has refused no packet of bob" in done.stdout
    else:
        assert "more since the prompt opened, or its settings changed; gateway does not count" in done.stdout


@pytest.mark.deep
def test_a_counter_of_several_protocols_is_named_once() -> None:
    """Linux counts the connections that found no port, whatever their protocol."""
    options = ("home", "--gateway", "netfilter", "--set", "clients=2", "--set", "ports=3")
    done = script("open alice server 5", "why bob", "nat status", options=options)

    assert done.stdout.count("counter  dropped_port_packets=") == 1
    assert done.stdout.rstrip().endswith(" (tcp, udp, icmp)")


@pytest.mark.deep
def test_where_wireshark_is_there_it_gets_the_packets_live_by_a_pipe(tmp_path: Path) -> None:
    """A program of that name stands in for it: it writes what it gets to a file."""
    program = tmp_path / "wireshark"
    program.write_text(f"#!/bin/sh\necho $* > {tmp_path}/arguments\nexec cat > {tmp_path}/live.pcapng\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "DISPLAY": ":0"}

    done = script("wireshark server", "alice ping -c 2 server", "server sleep 1", environment=environment)

    assert "Wireshark shows server" in done.stdout
    assert (tmp_path / "arguments").read_text() == "-k -i -\n"
    packets = (tmp_path / "live.pcapng").read_bytes()
    assert packets.count(bytes([192, 0, 2, 1, 198, 51, 100, 1])) >= 2, "pings from the external address"


@pytest.mark.deep
def test_behind_two_nats_the_outer_one_is_named_where_it_refuses() -> None:
    """The carrier's NAT knows alice by the address of its home's NAT."""
    done = script(
        "nat set carrier.ports 4",
        "open alice server 6",
        "why alice",
        "nat mappings alice",
        options=("carrier", "--set", "clients=2", "--set", "ports=64"),
    )

    assert done.returncode == 0, done.stderr
    assert "(ports=4); carrier, at " in done.stdout
    assert "home-a: 6 mappings of alice" in done.stdout


@pytest.mark.deep
def test_a_topology_of_one_s_own_has_the_prompt_behind_walls(tmp_path: Path) -> None:
    """It writes no file there, and every other word works."""
    done = script(
        "open room1-1 shop 2",
        "wireshark inside",
        options=(str(ROOT / "docs/examples/two_rooms_topology.py"),),
        cwd=tmp_path,
    )

    assert "room1-1 opened 2 of 2 tcp connections to shop" in done.stdout
    assert "no capture can be written to" in done.stderr
    assert list(tmp_path.iterdir()) == []


# In the middle of a run


@pytest.mark.deep
def test_a_run_that_pauses_is_full_then_and_goes_on_to_its_verdict(tmp_path: Path) -> None:
    """Who only looks changes nothing."""
    done = script(
        "nat ports",
        "nat mappings",
        "nodes",
        options=("port-exhaustion", *SMALL, "--pause", "--out", str(tmp_path / "kept")),
        word="run",
    )

    assert "gateway: tcp  192.0.2.1  16 in use, 0 free" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS  port-exhaustion" in done.stdout


@pytest.mark.deep
def test_a_run_that_somebody_changed_has_no_verdict_and_says_what_was_typed(tmp_path: Path) -> None:
    """It would say something of the person, and nothing of the NAT."""
    done = script(
        "nat release all",
        options=("port-exhaustion", *SMALL, "--pause", "--out", str(tmp_path / "kept")),
        word="run",
    )

    assert done.returncode == 4
    results = json.loads((tmp_path / "kept" / "results.json").read_text())
    assert results["verdict"] == "error"
    assert "changed at the prompt (nat release all), so it has no verdict" in results["error"]


@pytest.mark.deep
def test_a_paused_run_gives_the_terminal_to_the_prompt_and_takes_it_back(
    before: dict[str, Any], tmp_path: Path
) -> None:
    """The picture of the run stays above, and goes on below."""
    terminal = opened("run", "port-exhaustion", *SMALL, "--pause", "--out", str(tmp_path / "kept"))
    try:
        assert "gateway: tcp  192.0.2.1  16 in use" in "\n".join(typed(terminal, "nat ports"))
        terminal.type("\x04")
        terminal.shows("PASS  port-exhaustion")
        terminal.shows("status 0")
    finally:
        terminal.close()


def test_a_pause_and_one_object_on_standard_output_contradict_each_other(run: Run) -> None:
    """The prompt prints there."""
    refused = run("run", "port-exhaustion", "--pause", "--json")

    assert (refused.status, refused.output) == (2, "")
    assert "--pause and --json contradict each other" in refused.complaints
