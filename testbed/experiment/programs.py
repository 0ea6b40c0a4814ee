"""Programs of a user's own on the hosts of a lab: where each stands, and what it finds there.

Every program finds the names of all hosts, a resolver, and variables with the addresses:

    LASTPORT_HOST              the host that it is on
    LASTPORT_ADDRESS           that host's address, and of each host, as in LASTPORT_ADDRESS_SERVER
    LASTPORT_HOSTS             all hosts with all their addresses, as JSON
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping

from testbed.experiment.lab import Lab
from testbed.experiment.services import Services
from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.program import Place

OURS = ("PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONNOUSERSITE", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
CACHES = ("HYPOTHESIS_STORAGE_DIRECTORY", "MYPY_CACHE_DIR", "RUFF_CACHE_DIR")
"""Variables that the launcher has set for its own Python, which are none of a program's business."""
KEPT = "_LASTPORT_USERS_"
"""Before the name of a variable: the value that the user had given it."""
GUARD = (sys.executable, "-P", "-S", "-m", "testbed.sandbox.program")
ALSO = "{host}-{number}"
"""The name of a host's second address, and of each further one."""


class UnknownHostError(Exception):
    """There is no such host: the message names those that there are."""


class Programs:
    """All programs of a run. `services` are what the hosts outside offer them, started with the first program."""

    def __init__(self, lab: Lab) -> None:
        self._netns = {host.name: host.netns for host in (*lab.clients, *lab.servers)}
        self._addresses = {name: [str(each) for each in lab.topology.addresses[name]] for name in self._netns}
        names = FOLDER / "hosts"
        names.write_text(names_of(self._addresses))
        servers = {host.name: (host.netns, self._addresses[host.name]) for host in lab.servers}
        self.services = Services(servers, names)
        resolver = FOLDER / "resolv.conf"
        resolver.write_text(f"nameserver {self._addresses[lab.servers[0].name][0]}\noptions timeout:2\n")
        self._files = {"/etc/hosts": str(names), "/etc/resolv.conf": str(resolver)}
        self._usual = lab.clients[0].name
        self._guards: list[subprocess.Popen[bytes]] = []

    @property
    def hosts(self) -> list[str]:
        """The names of all hosts, inside and outside."""
        return list(self._netns)

    def start(self, host: str, order: int, control: socket.socket, files: tuple[int, int, int]) -> str:
        """Start a program on a host (by default the first inside), and return the host's name.

        `order`, `control` and the standard `files` are open, and stay so here. Raises UnknownHostError.
        """
        host = host or self._usual
        if host not in self._netns:
            raise UnknownHostError(f"there is no host {host!r}; there are {', '.join(self._netns)}")
        self._guards = [guard for guard in self._guards if guard.poll() is None]
        place = Place(host, self._netns[host], self._files, self._variables(host)).written()
        try:
            self._guards.append(
                subprocess.Popen(
                    [*GUARD, str(control.fileno()), str(order), str(place)],
                    pass_fds=[control.fileno(), order, place],
                    stdin=files[0],
                    stdout=files[1],
                    stderr=files[2],
                    start_new_session=True,
                )
            )
        finally:
            os.close(place)
        return host

    def wait(self) -> None:
        """Wait until nothing of any program is left."""
        for guard in self._guards:
            guard.wait()

    def _variables(self, host: str) -> dict[str, str]:
        return variables(host, self._addresses)


def names_of(addresses: Mapping[str, list[str]]) -> str:
    """Return the text of a file of hosts: each name has the first address, and NAME-2 the second."""
    lines = ["127.0.0.1 localhost"]
    for host, each in addresses.items():
        lines += [
            f"{address} {host if number == 1 else ALSO.format(host=host, number=number)}"
            for number, address in enumerate(each, start=1)
        ]
    return "\n".join(lines) + "\n"


def variables(host: str, addresses: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the environment variables that tell a program of the network."""
    each = {f"LASTPORT_ADDRESS_{_as_variable(name)}": own[0] for name, own in addresses.items()}
    return {
        **each,
        "LASTPORT_HOST": host,
        "LASTPORT_ADDRESS": addresses[host][0],
        "LASTPORT_HOSTS": json.dumps(addresses),
    }


def _as_variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def users_own(given: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as the user had it, before the launcher added what its own Python needs."""
    kept = {name.removeprefix(KEPT): value for name, value in given.items() if name.startswith(KEPT)}
    ours = {*OURS, *CACHES}
    others = {name: each for name, each in given.items() if name not in ours and not name.startswith("_LASTPORT")}
    return {**others, **kept}
