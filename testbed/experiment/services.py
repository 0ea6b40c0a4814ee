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
from dataclasses import dataclass
from pathlib import Path

from testbed.sandbox.deaths import last_words
from testbed.sandbox.linux import network_of
from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.slowness import patient

OWN = (sys.executable, "-P", "-S", "-m", "testbed.traffic.offering")
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
            *("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--no-poll"),
            *("--pid-file=", "--bind-interfaces", "--local-ttl=60", "--local=/#/", f"--addn-hosts={names}"),
            *listening,
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


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A service on a host that has been started: it is there when each of its addresses has a listener."""

    name: str
    netns: str
    port: int
    addresses: int
    processes: list[subprocess.Popen[bytes]]

    def is_there(self) -> bool:
        return listening(self.netns, self.port) >= self.addresses

    def has_ended(self) -> bool:
        return any(each.poll() is not None for each in self.processes)


class Services:
    """The services of all hosts outside. `lacking` has those that are left out, with what to do about it."""

    def __init__(self, servers: Mapping[str, tuple[str, Sequence[str]]], names: Path) -> None:
        """Start them. `servers` are network namespaces and addresses by host, `names` the file with all names."""
        self.lacking: dict[str, str] = {}
        own = json.dumps([[netns, list(addresses)] for netns, addresses in servers.values()])
        self._own: subprocess.Popen[bytes] | None = _start([*OWN, own], subprocess.PIPE)
        self._awaited = []
        for name, (program, port, package, commands) in PROGRAMS.items():
            if shutil.which(program) is None:
                self.lacking[name] = f"{program} is not installed: apt-get install {package}"
                continue
            for netns, addresses in servers.values():
                with network_of(netns):
                    started = [_start(command) for command in commands(addresses, names)]
                self._awaited.append(_Awaited(name, netns, port, len(addresses), started))

    def wait(self) -> None:
        """Wait until all of them listen. What has ended, or is not there in time, is noted as lacking."""
        if self._own is None:
            return
        assert self._own.stdout is not None
        self._own.stdout.readline()
        self._own = None
        deadline = time.monotonic() + patient(WITHIN_S)
        for each in self._awaited:
            while not each.is_there():
                if each.has_ended() or time.monotonic() > deadline:
                    program = PROGRAMS[each.name][0]
                    words = last_words(str(_log(program)))
                    self.lacking[each.name] = (
                        f"{program} {'ended' if each.has_ended() else 'does not listen'}: {words}"
                    )
                    break
                time.sleep(LOOK_EVERY_S)


def _log(program: str) -> Path:
    return FOLDER / f"{Path(program).name}.log"


def _start(command: Sequence[str], output: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program, whose words go to a log, in the network that this thread is in."""
    with _log(command[0]).open("ab") as log:
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
