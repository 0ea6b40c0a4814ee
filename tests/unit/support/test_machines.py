"""What a test has for itself of the machine: no other test sees it, or takes it away."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines import free_port, own_mounts, own_network
from topologies.network.namespaces import Namespace
from topologies.network.sysctls import write_sysctls


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """Return the network that stands for the machine's, in which the test is."""
    if os.geteuid() != 0:
        pytest.skip("only root makes networks without more ado")
    with contextlib.closing(Namespace()) as namespace, namespace.entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield namespace


def links() -> list[str]:
    """Return the interfaces of the network that this thread is in."""
    return [name for _, name in socket.if_nameindex()]


def add_cable() -> None:
    """Add two interfaces to the network that this thread is in."""
    subprocess.run(["ip", "link", "add", "one", "type", "veth", "peer", "name", "other"], check=True)


def test_what_others_do_to_the_machine_s_network_is_not_seen_in_one_s_own(machine: Namespace) -> None:
    """Nor the other way round, and services at the loopback can be reached."""
    with own_network():
        with machine.entered():
            add_cable()
        assert links() == ["lo"]
        add_cable()
        subprocess.run(["ip", "link", "del", "one"], check=True)
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()

    assert sorted(links()) == ["lo", "one", "other"]


def mounted(script: str, place: Path, *, keeps_to_itself: bool) -> None:
    """Run a script in new mounts, which mounts something at a place."""
    propagation = "private" if keeps_to_itself else "unchanged"
    words = ["unshare", "--mount", "--propagation", propagation, "sh", "-ec", script, "sh", str(place)]
    subprocess.run(words, check=True)


def where() -> tuple[str, tuple[int, int], Path]:
    """Return the mounts, the root and the folder that this thread is in."""
    root = os.stat("/")
    return os.readlink("/proc/thread-self/ns/mnt"), (root.st_dev, root.st_ino), Path.cwd()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts without more ado")
def test_what_others_mount_is_not_seen_among_one_s_own_and_what_is_left_of_a_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current folder and the root are as before in the end."""
    monkeypatch.chdir(tmp_path)
    before = where()
    (tmp_path / "place").mkdir()

    def is_seen() -> bool:
        return str(tmp_path) in Path("/proc/thread-self/mountinfo").read_text()

    with own_mounts():
        with own_mounts():
            for keeps_to_itself in (True, False):
                mounted('mount -t tmpfs none "$1"', tmp_path / "place", keeps_to_itself=keeps_to_itself)
                assert is_seen() is not keeps_to_itself
        assert not is_seen()
        subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path / "place")], check=True)
        assert is_seen()

    assert where() == before


@pytest.mark.usefixtures("machine")
def test_a_free_port_is_given_to_nobody_else() -> None:
    """Of a machine with two ports others can have the second one, and a server of the test's own listens at it."""
    write_sysctls({"net/ipv4/ip_local_port_range": "40000 40001"})
    with free_port() as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert {port, other.getsockname()[1]} == {40000, 40001}
            with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
                socket.create_server(("127.0.0.1", 0))
            with socket.create_server(("127.0.0.1", port)) as server:
                assert server.getsockname()[1] == port
