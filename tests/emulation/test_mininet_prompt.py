"""`lastport mn`: Mininet's own command in a sandbox, with its input from a file, a pipe, or a terminal."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.registry import TOPOLOGIES
from tests.emulation.conftest import COMMAND, DEADLINE_S
from tests.support.paths import ROOT
from tests.support.processes import awaited, descendants, gone, one
from tests.support.prompts import Terminal

MN = [*COMMAND, "mn"]
HOME = ["--custom", "topologies/home.py", "--topo", "home,clients=2", "--wait"]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take rights away, and make a root")


def mn(*arguments: str, typed: str = "", before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command with these lines as its input; `before` is a program that starts it."""
    return subprocess.run(
        [*before, *MN, *arguments],
        cwd=ROOT,
        input=typed,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.fixture
def terminal(before: dict[str, Any]) -> Iterator[Terminal]:
    """Return a terminal with Mininet's prompt in it."""
    opened = Terminal()
    opened.shows("shell> ")
    opened.type(shlex.join([*MN, *HOME]) + "; echo status $?\n")
    opened.shows("mininet> ")
    yield opened
    opened.close()


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_each_topology_starts_at_the_prompt_and_leaves_nothing(name: str, before: dict[str, Any]) -> None:
    """Our gateway has its default settings, and a host has no shell before it runs a command."""
    topology = "campus,clients=8" if name == "campus" else name
    custom = ["--custom", f"topologies/{name.replace('-', '_')}.py", "--topo", topology, "--wait"]
    done = mn(*custom, typed="bob ping -c 1 -W 5 server\ndump\nsh ovs-vsctl list-br\n")

    assert done.returncode == 0, done.stderr
    assert " 1 received" in done.stdout + done.stderr
    assert "<LabHost alice: " in done.stdout + done.stderr
    assert " pid=None" in done.stdout + done.stderr, "alice's shell has not been used"


def test_a_test_of_mininet_needs_no_input(before: dict[str, Any]) -> None:
    """`--test` builds the network, and ends."""
    done = mn(*HOME, "--test", "none")

    assert done.returncode == 0, done.stderr
    assert "completed in " in done.stderr
    assert "Error setting resource limits" not in done.stderr, "they are the machine's"


def test_the_exit_status_is_that_of_mininet_s_command() -> None:
    """A wrong option is 2, and the message is Mininet's."""
    done = mn("--no-such-option")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "mn: error: no such option: --no-such-option")


def test_mininet_s_clean_up_never_runs() -> None:
    """It would delete all that is called /tmp/*.log, and everything it could remove ends with the sandbox."""
    with tempfile.NamedTemporaryFile(dir="/tmp", suffix=".log") as bystander:
        done = mn("--topo", "no-such-topology")

        assert Path(bystander.name).exists()
    assert "Invalid topo name no-such-topology" in done.stderr
    assert "Nothing to clean up" in done.stderr


def test_two_prompts_at_once_are_two_networks(terminal: Terminal) -> None:
    """Both have a bridge of the same name, each in an Open vSwitch of its own."""
    done = mn(*HOME, typed="alice ping -c 1 -W 5 server\nsh ovs-vsctl list-br\n")

    assert " 1 received" in done.stdout + done.stderr
    terminal.asks("sh ovs-vsctl list-br | sed s/^/bridge:/", "bridge:gateway")
    terminal.asks("alice ping -c 1 -W 5 server", " 1 received")


def test_ctrl_c_ends_a_host_s_command_and_returns_to_the_prompt(terminal: Terminal) -> None:
    """Neither Open vSwitch nor the controller hears of it: the next ping is answered."""
    terminal.type("alice ping server\n")
    terminal.shows("icmp_seq=2")
    terminal.type("\x03")
    terminal.shows("mininet> ")

    terminal.asks("bob ping -c 1 -W 5 server", " 1 received")
    terminal.type("exit\n")
    terminal.shows("status 0")


def test_ctrl_d_ends_the_network(terminal: Terminal) -> None:
    """It is the end of the input, as everywhere."""
    terminal.type("\x04")

    terminal.shows("status 0")


def test_ctrl_z_returns_to_the_shell_and_fg_to_the_prompt(terminal: Terminal) -> None:
    """All of the sandbox that has the terminal stops and goes on with the command that the shell knows."""
    terminal.type("\x1a")
    terminal.shows("Stopped")
    terminal.type("fg\n")
    terminal.shows(" mn ")

    terminal.asks("alice ping -c 1 -W 5 server", " 1 received")


def test_killing_the_launcher_leaves_nothing_of_the_prompt(terminal: Terminal) -> None:
    """No process, and so no namespace and no bridge."""
    terminal.type("alice ping server\n")
    terminal.shows("icmp_seq=2")
    launcher = one(descendants(terminal.shell.pid), " mn ")
    family = descendants(launcher)
    assert {"ping", "ovs-vswitchd"} <= {command.split()[0] for command in family.values()}

    os.kill(launcher, signal.SIGKILL)

    awaited(lambda: gone(family), "its processes to end")


def test_a_switch_that_dies_ends_the_prompt_with_a_sentence(terminal: Terminal) -> None:
    """The terminal has its echo back, which the prompt had turned off."""
    os.kill(one(descendants(terminal.shell.pid), "ovs-vswitchd unix:"), signal.SIGKILL)

    terminal.shows("lastport: ovs-vswitchd was killed by SIGKILL")
    terminal.shows("status 4")
    terminal.type("stty -a\n")
    terminal.shows(" echo ")


@needs_root
def test_without_the_right_to_make_namespaces_mininet_never_starts() -> None:
    """The sentence has what is missing, and what to do."""
    done = mn(*HOME, before=("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"))

    assert done.returncode == 3
    assert done.stderr.startswith("lastport: this machine cannot run it:\n")
    assert "CAP_SYS_ADMIN" in done.stderr
    assert "***" not in done.stdout + done.stderr


INTO_THE_ROOT = {
    "a folder": f"""exec chroot . sh -c 'cd "$0" && exec "$@"' {ROOT} "$@" """,
    "a deleted folder": """exec chroot . sh -c 'mkdir gone && cd gone && rmdir /gone && exec "$@"' sh "$@" """,
    "a folder out of reach": f"""root=$PWD && cd / && exec {sys.executable} -c '
import os, sys
os.chroot(sys.argv[1])
os.execvp(sys.argv[2], sys.argv[2:])
' "$root" "$@" """,
}
"""How a shell, whose folder is to be the root, starts a program there, by what the program's folder is."""


@needs_root
@pytest.mark.parametrize("into_it", INTO_THE_ROOT.values(), ids=INTO_THE_ROOT)
def test_the_prompt_works_in_a_chroot_whose_root_is_no_mount_point(tmp_path: Path, into_it: str) -> None:
    """Mininet's hosts make their mounts private there, and its `pexec` enters their mounts."""
    mountpoint = ("mountpoint", "--quiet", "/")
    if subprocess.run(mountpoint, check=False).returncode:
        pytest.skip("these tests run in such a chroot, so that each of them is this one")
    enter_it = f"""
        mount -t tmpfs none {tmp_path} && mkdir {tmp_path}/root && cd {tmp_path}/root && touch only-here
        for entry in /*; do
            if [ -L "$entry" ]; then cp -a "$entry" .; elif [ -d "$entry" ]; then
                mkdir ".$entry" && mount --rbind "$entry" ".$entry"
            fi
        done
        {into_it}
    """
    root = ("unshare", "--mount", "sh", "-ec", enter_it, "sh")
    assert subprocess.run([*root, *mountpoint], check=False).returncode != 0

    ls = "py alice.pexec('ls', '/only-here')"
    home = ("--custom", str(ROOT / "topologies/home.py"), *HOME[2:])
    done = mn(*home, typed=f"alice ping -c 1 -W 5 server\n{ls}\n", before=root)

    assert done.returncode == 0, done.stderr
    assert " 1 received" in done.stdout + done.stderr
    assert r"('/only-here\n', '', 0)" in done.stdout + done.stderr
