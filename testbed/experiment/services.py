"""What hosts outside offer to programs, on the usual ports of all their addresses.

    echo     7     our own (testbed/traffic/offering.py)
    HTTP     80    the same: a file of any size
    DNS      53    dnsmasq, with the names of all hosts
    STUN     3478  coturn's turnserver (RFC 8489, RFC 5780), on two addresses of a host
    iperf3   5201  iperf3

A service whose program is not installed is left out, and reported. They are started at once, and nobody is waited
for until the first program begins.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from testbed.sandbox.linux import network_of
from testbed.sandbox.mounts import FOLDER

WITHIN_S = 10.0
"""Seconds within which every service has to be ready; one that is not is left to itself."""
LOOK_EVERY_S = 0.005
LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""
Command = Callable[[Sequence[str], Path], list[list[str]]]
"""Returns the commands for a host, given its addresses and the file with all names."""


def _dnsmasq(addresses: Sequence[str], names: Path) -> list[list[str]]:
    listening = [f"--listen-address={each}" for each in addresses]
    return [
        [
            *(
                "dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-hosts",
                "--no-resolv",
                "--no-poll",
            ),
            *("--user=root", "--group=root", "--pid-file=", "--bind-interfaces", "--local-ttl=60", "--local=/#/"),
            *(f"--addn-hosts={names}", *listening),
        ]
    ]


def _turnserver(addresses: Sequence[str], _names: Path) -> list[list[str]]:
    listening = [f"--listening-ip={each}" for each in addresses]
    return [
        [
            *("turnserver", "-n", "--stun-only", "--no-auth", "--no-tls", "--no-dtls", "--no-cli"),
            *("--log-file=stdout", "--simple-log", "--pidfile=", "--relay-threads=0"),
            *(f"--userdb={FOLDER}/turnserver.db", *listening),
        ]
    ]


def _iperf3(addresses: Sequence[str], _names: Path) -> list[list[str]]:
    return [["iperf3", "--server", "--bind", each] for each in addresses]


PROGRAMS: Mapping[str, tuple[str, int, str, Command]] = {
    "DNS": ("dnsmasq", 53, "dnsmasq-base", _dnsmasq),
    "STUN": ("turnserver", 3478, "coturn", _turnserver),
    "iperf3": ("iperf3", 5201, "iperf3", _iperf3),
}
"""The program of each service, its port, the package of the distribution, and its commands for a host."""


class Services:
    """The services of all hosts outside. `lacking` has those that are left out, with what to install."""

    def __init__(self, servers: Mapping[str, tuple[str, Sequence[str]]], names: Path) -> None:
        """Start them. `servers` are network namespaces and addresses by host, `names` the file with all names."""
        self.lacking: dict[str, str] = {}
        self._is_ready = False
        self._awaited: list[tuple[str, int, int]] = []
        own = json.dumps([[netns, list(addresses)] for netns, addresses in servers.values()])
        self._own = self._start(
            [sys.executable, "-P", "-S", "-m", "testbed.traffic.offering", own], subprocess.PIPE
        )
        for service, (program, port, package, commands) in PROGRAMS.items():
            if shutil.which(program) is None:
                self.lacking[service] = f"{program} is not installed: apt-get install {package}"
                continue
            for netns, addresses in servers.values():
                with network_of(netns):
                    for command in commands(addresses, names):
                        self._start(command)
                self._awaited.append((netns, port, len(addresses)))

    def wait(self) -> None:
        """Wait until all of them listen. What is not there in time is noted as lacking."""
        if self._is_ready:
            return
        self._is_ready = True
        assert self._own.stdout is not None
        self._own.stdout.readline()
        deadline = time.monotonic() + WITHIN_S
        for netns, port, count in self._awaited:
            while listening(netns, port) < count:
                if time.monotonic() > deadline:
                    self.lacking.setdefault(f"port {port}", f"nothing listened within {WITHIN_S:g} s")
                    break
                time.sleep(LOOK_EVERY_S)

    @staticmethod
    def _start(command: list[str], output: int | IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start a program, whose words go to a log, in the network that this thread is in."""
        with (FOLDER / f"{Path(command[0]).name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=log,
                start_new_session=True,
            )


def listening(netns: str, port: int) -> int:
    """Return the number of addresses at which something listens for TCP on a port, in a network namespace."""
    with network_of(netns):
        rows = [line.split() for line in Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]]
    return len({row[1] for row in rows if row[3] == LISTENING and int(row[1].partition(":")[2], 16) == port})
