"""A box between two interfaces of this machine, in real labs: what it shows, what is refused, and what is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.run.cables import Cables
from testbed.run.interfaces import require_free
from tests.emulation.conftest import DEADLINE_S, SMALL, Run, Start
from tests.support.boxes import Box, box
from tests.support.machines import own_network
from tests.support.processes import awaited, descendants, gone
from topologies.gateways.base import Cable
from topologies.network.namespaces import Namespace
from topologies.network.netlink import Kernel
from topologies.network.sysctls import write_sysctls

CABLES = {
    "box-inside": Cable(interface="eth1", answers=("10.0.255.254",), ours=("10.0.0.1",)),
    "box-outside": Cable(interface="eth3", answers=("192.0.2.1",), ours=("192.0.2.254",)),
}


@pytest.fixture
def device() -> Iterator[Box]:
    """Return a box, and check that the machine's interfaces are afterwards as before."""
    with box() as made:
        before = made.state()
        yield made
        awaited(lambda: made.state() == before, f"the interfaces to be as before: {before}")


def test_a_box_is_judged_by_what_hosts_and_wire_saw_and_its_interfaces_come_back(
    run: Run, device: Box, tmp_path: Path
) -> None:
    """It has 16 ports, and the path to it was measured before and after."""
    fits = ("--set", "ports=16", "--set", "attempts=16", "--set", "clients=3")
    finished = run("run", "port-exhaustion", *device.choices, *fits, "--out", str(tmp_path / "out"), "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"] == {**finished.result["outcomes"], "established": 16}
    assert finished.result["environment"]["box_inside"] == device.inside
    found = f"0 of 100 at {device.inside}, 0 of 100 at {device.outside} ARP requests were not answered"
    assert finished.result["environment"]["box_path"] == f"before the experiment {found}"
    assert f"after it {found}" in finished.result["story"]
    assert Path(finished.result["files"]["log"]).read_text().count(found) == 2
    assert not device.is_used()


@pytest.mark.deep
def test_a_box_runs_out_of_ports(run: Run, device: Box) -> None:
    """Its rule has sixteen."""
    finished = run("run", "port-exhaustion", *device.choices, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"] == {**finished.result["outcomes"], "established": 16, "timeout": 8}


@pytest.mark.deep
@pytest.mark.parametrize("victim", ["the launcher", "PID 1", "everything", "Ctrl-C"])
def test_the_interfaces_come_back_whatever_ends_the_run(start: Start, device: Box, victim: str) -> None:
    """Nobody is left who could give them back: the kernel does, when the last process is gone."""
    process = start("run", "port-exhaustion", *device.choices, *SMALL)
    awaited(lambda: "traffic.client" in " ".join(descendants(process.pid).values()), "the traffic")
    assert device.is_used()
    family = descendants(process.pid)
    inits = [pid for pid, command in family.items() if "testbed.sandbox.init" in command]
    victims = {"the launcher": [process.pid], "PID 1": inits[1:2], "everything": [*family]}
    for pid in victims.get(victim, []):
        os.kill(pid, signal.SIGKILL)
    if victim == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)

    awaited(lambda: gone(family), "the end of every process")
    awaited(lambda: not device.is_used(), "the interfaces to be free")


@pytest.mark.deep
def test_a_box_that_stops_to_answer_is_an_error_with_figures(start: Start, device: Box) -> None:
    """A NAT cannot be judged by packets that may never have reached it."""
    process = start("run", "port-exhaustion", *device.choices, *SMALL, "--json")
    awaited(lambda: "traffic.client" in " ".join(descendants(process.pid).values()), "the traffic")
    device.run("ip", "link", "set", "wan", "arp", "off")
    output, complaints = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 4, output + complaints
    assert f"3 of 3 at {device.outside} ARP requests were not answered" in output


@pytest.mark.deep
def test_cables_that_lose_packets_are_an_error_with_figures_and_no_verdict(run: Run, device: Box) -> None:
    """Every tenth ARP request is lost inside the box, which looks like a bad cable."""
    chain = "type filter hook input priority 0; iifname wan numgen inc mod 10 0 drop"
    device.run("nft", "-f", "-", text=f"table arp lossy {{ chain lossy {{ {chain}; }}; }}")
    finished = run("run", "port-exhaustion", *device.choices, *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert finished.result["verdict"] == "error"
    assert "the cables lose packets: before the experiment 0 of 100" in finished.result["error"]
    assert re.search(rf"3 of \d+ at {device.outside} ARP requests were not answered", finished.result["error"])


@pytest.mark.deep
def test_what_a_box_sends_of_its_own_accord_is_not_held_against_its_nat(run: Run, device: Box) -> None:
    """Router advertisements, discovery, and frames that look for loops."""
    frame = "ffffffffffff02b000000001" + "8899" + "00" * 46
    sender = "import socket,sys,time\nwhile True:\n for name in ('lan','wan'):\n"
    sender += "  s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((name,0))\n"
    sender += f"  s.send(bytes.fromhex('{frame}')); time.sleep(.1)\n"
    with device.namespace.entered():
        chatter = subprocess.Popen(["python3", "-c", sender])
    try:
        finished = run("run", "port-exhaustion", *device.choices, *SMALL, "--json")
    finally:
        chatter.kill()
        chatter.wait()

    assert finished.status == 0, finished.output + finished.complaints


@pytest.fixture
def machine_with_two_ports() -> Iterator[None]:
    """Be in a network of its own, with eth1 and eth2, which a cable connects, and a second pair, eth3 and eth4."""
    with own_network():
        for one, other in (("eth1", "eth2"), ("eth3", "eth4")):
            ip(f"link add {one} type veth peer name {other}")
            ip(f"link set {one} up")
            ip(f"link set {other} up")
        yield


def ip(words: str) -> None:
    """Change something of the network that this thread is in."""
    subprocess.run(["ip", *words.split()], check=True)


@contextmanager
def box_at(interface: str, address: str) -> Iterator[Namespace]:
    """Have a box with an address at the end of a cable."""
    far = Namespace()
    ip(f"link set {interface} netns {far.path}")
    with far.entered():
        ip(f"address add {address} dev {interface}{' nodad' * (':' in address)}")
        ip(f"link set {interface} up")
    yield far
    far.close()


def listening(family: socket.AddressFamily) -> socket.socket:
    """Listen at every address. A socket for IPv6 takes connections over IPv4 as well."""
    return socket.create_server(("", 0), family=family, dualstack_ipv6=family is socket.AF_INET6)


def connected(where: tuple[str, int]) -> socket.socket | None:
    """Return a connection, as soon as there is a way."""
    with suppress(OSError):
        return socket.create_connection(where, timeout=1.0)
    return None


@pytest.mark.usefixtures("machine_with_two_ports")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["link set eth1 down"], "it is down; set it up first: ip link set eth1 up"),
        (["link set eth2 down"], "it has no carrier"),
        (["link set eth1 mtu 1400"], "its MTU is 1400: ip link set eth1 mtu 1500"),
        (["link add br0 type bridge", "link set eth1 master br0"], "it is a port of br0, a bridge or bond"),
        (
            ["link add link eth1 name eth1.7 type macvlan mode bridge"],
            "eth1.7 is on top of it, and would be cut off",
        ),
        (["address add 2001:db8::9/64 dev eth1 nodad"], "sysctl -w net.ipv6.conf.eth1.disable_ipv6=1"),
        (["address add 10.9.9.9/24 dev eth1"], "the machine uses it, with the address 10.9.9.9/24"),
        (["address add 169.254.7.7/16 dev eth1 scope link"], "with the address 169.254.7.7/16"),
        (["route add default dev eth1"], "the machine's default route leaves by it"),
        (["route add default dev eth1 table 100"], "default route, in the table 100, leaves by it"),
        (["route add default nexthop dev eth3 nexthop dev eth1"], "the machine's default route leaves by it"),
        (["route add local 203.0.113.9 dev eth1"], "the machine's route to 203.0.113.9, in the table local,"),
        (["route add 203.0.113.0/24 dev eth1"], "or remove it: ip -4 route del 203.0.113.0/24 dev eth1"),
        (
            ["-6 route add 2001:db8::/32 dev eth1 table 100"],
            "ip -6 route del 2001:db8::/32 dev eth1 table 100, or if the box advertises that: sysctl",
        ),
        (["link del eth1"], "this machine has no such interface; it has eth3, eth4"),
        (["link del eth1", "link add eth1 type ifb"], "it is down"),
        (["address add 10.0.0.1/32 dev lo"], "this machine has the address 10.0.0.1 itself, at lo"),
    ],
)
def test_an_interface_that_cannot_be_taken_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, changes: list[str], words: str
) -> None:
    """Before anything starts."""
    monkeypatch.setattr("testbed.run.interfaces.CONNECTED_WITHIN_S", 0.2)
    for change in changes:
        ip(change)

    with pytest.raises(ConfigurationError) as refused:
        Cables(CABLES)

    assert str(refused.value).startswith("setting inside=eth1: ")
    assert words in str(refused.value)


@pytest.mark.usefixtures("machine_with_two_ports")
@pytest.mark.parametrize(
    ("ours", "theirs", "family", "place"),
    [
        ("10.7.7.7", "10.7.7.8", socket.AF_INET, "10.7.7.7:"),
        ("10.7.7.7", "10.7.7.8", socket.AF_INET6, "[::ffff:10.7.7.7]:"),
        ("fe80::7", "fe80::8", socket.AF_INET6, "[fe80::7]%eth1:"),
    ],
)
def test_an_interface_with_a_connection_is_refused_though_sudo_hides_the_ssh_session(
    ours: str, theirs: str, family: socket.AddressFamily, place: str
) -> None:
    """Over IPv6 it may come in at a link-local address, which every interface has."""
    is_six = ":" in ours
    length, option = ("/64", " nodad") if is_six else ("/24", "")
    ip(f"address add {ours}{length} dev eth1{option}")
    with listening(family) as server, box_at("eth2", f"{theirs}{length}") as far:
        where = (f"{ours}%eth2" if is_six else ours, server.getsockname()[1])
        with far.entered():
            client = awaited(lambda: connected(where), "a connection")
        session, _ = server.accept()
        with client, session, pytest.raises(ConfigurationError) as refused:
            require_free("inside", "eth1")

    assert "maybe your ssh session" in str(refused.value)
    assert f"is at {place}{where[1]} of it; take another interface" in str(refused.value)


@pytest.mark.usefixtures("machine_with_two_ports")
def test_connections_at_other_interfaces_and_addresses_of_the_kernel_are_no_reason() -> None:
    """Each interface that is up has a link-local address and routes of its own."""
    ip("address add fe80::7/64 dev eth3 nodad")
    ip("address add fe80::7/64 dev eth1 nodad")
    ip("-6 route add multicast ff08::/16 dev eth1 table local")
    with listening(socket.AF_INET6) as server, box_at("eth4", "fe80::8/64") as far:
        with far.entered():
            client = awaited(lambda: connected(("fe80::7%eth4", server.getsockname()[1])), "a connection")
        session, _ = server.accept()
        with client, session:
            require_free("inside", "eth1")


@pytest.mark.usefixtures("machine_with_two_ports")
def test_the_loopback_is_no_cable() -> None:
    """It leads nowhere."""
    with pytest.raises(ConfigurationError, match="setting inside=lo: it is the loopback"):
        require_free("inside", "lo")


@pytest.mark.usefixtures("machine_with_two_ports")
def test_an_address_that_the_box_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right sides, if it answers at the other cable; and nothing is left of what was begun."""
    monkeypatch.setattr("testbed.run.cables.ANSWERED_WITHIN_S", 0.2)
    with pytest.raises(ConfigurationError, match=r"inside=eth1: nobody answers there for 10\.0\.255\.254"):
        Cables(CABLES)
    with (
        box_at("eth2", "192.0.2.1/24"),
        box_at("eth4", "10.0.255.254/16"),
        pytest.raises(ConfigurationError, match="--set inside=eth3 --set outside=eth1"),
    ):
        Cables(CABLES)


@pytest.mark.usefixtures("machine_with_two_ports")
@pytest.mark.parametrize("is_swapped", [True, False])
def test_cables_are_told_apart_also_at_a_box_that_answers_for_every_address_at_both(is_swapped: bool) -> None:
    """As Linux does by default."""
    lan, wan = ("eth4", "eth2") if is_swapped else ("eth2", "eth4")
    far = Namespace()
    for interface in (lan, wan):
        ip(f"link set {interface} netns {far.path}")
    with far.entered():
        write_sysctls({f"net/ipv4/conf/{each}/rp_filter": "0" for each in ("all", lan, wan)})
        for interface, address in ((lan, "10.0.255.254/16"), (wan, "192.0.2.1/24")):
            ip(f"address add {address} dev {interface}")
            ip(f"link set {interface} up")
    try:
        if is_swapped:
            with pytest.raises(ConfigurationError, match="--set inside=eth3 --set outside=eth1"):
                Cables(CABLES)
        else:
            Cables(CABLES).close()
    finally:
        far.close()


def test_a_refused_run_leaves_no_folder(run: Run, tmp_path: Path) -> None:
    """It is refused before anything starts."""
    choices = ["--set", "inside=no-such", "--set", "outside=lo", "--set", "ports=64512", "--set", "attempts=16"]
    timers = ["--set", "tcp_rst_timeout=1", "--set", "tcp_trans_close_timeout=1"]
    finished = run("run", "port-exhaustion", "--gateway", "box", *choices, *timers)

    assert finished.status == 2, finished.output + finished.complaints
    assert finished.complaints.startswith("lastport: setting inside=no-such: this machine has no such interface")
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("machine_with_two_ports")
def test_an_interface_that_another_run_uses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first use is not disturbed."""
    monkeypatch.setattr("testbed.run.cables.FREE_WITHIN_S", 0.2)
    other = Namespace()
    with Kernel() as kernel:
        kernel.add_passthrough("taken", of="eth1", namespace=other.descriptor)
    with pytest.raises(ConfigurationError, match="inside=eth1: the kernel does not hand it out"):
        Cables(CABLES)
    with other.entered(), Kernel() as kernel:
        assert kernel.index("taken")
    other.close()
