"""What kind of NAT does an independent prober find, by the method of RFC 5780?

Set-up        a STUN server (coturn's) on both addresses and two ports of the outside host `server`
Action        alice runs coturn's prober twice, each time from a port that was not used before
Expectation   the prober finds the mapping and the filtering that are declared, and an external address for alice

The prober asks once, and waits 3 seconds for each answer that a filter should stop: in all 0, 3 or 6 seconds.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from testbed.api import Experiment, Parameters, Scenario
from testbed.sandbox.linux import CLONE_NEWNET, enter_namespace
from testbed.sandbox.mounts import FOLDER

MAPPING = {
    "eim": "NAT with Endpoint Independent Mapping!",
    "adm": "NAT with Address Dependent Mapping!",
    "edm": "NAT with Address and Port Dependent Mapping!",
}
FILTERING = {
    "eif": "NAT with Endpoint Independent Filtering!",
    "adf": "NAT with Address Dependent Filtering!",
    "edf": "NAT with Address and Port Dependent Filtering!",
}
"""The prober's verdicts, by the settings that ask for them."""

STUN_PORTS = (3478, 3479)
"""STUN's own port, and the next, from which the server answers when it is asked for another port."""
FIRST_SOURCE_PORT = 5001
SERVER_WITHIN_S = 60.0
PROBER_WITHIN_S = 60.0

VERDICT = re.compile(r"^(?:No NAT!|NAT with\b).*$", re.MULTILINE)
SEEN_AS = re.compile(r"UDP reflexive addr: ([0-9.]+):[0-9]+")


class NatBehaviour(Scenario[Parameters]):
    """What kind of NAT does an independent prober find?"""

    name = "nat-behaviour"
    claim = "mapping and filtering are what they are set to, as seen from outside (RFC 5780)"

    def run(self, x: Experiment[Parameters]) -> None:
        """Start the STUN server, and probe the mapping and the filtering from alice."""
        alice, server = x.lab.clients[0], x.lab.servers[0]
        addresses = [str(address) for address in x.lab.topology.addresses[server.name]]
        with x.phase("start the STUN server"):
            start_server(server, addresses)
        with x.phase("probe"):
            probers = [
                start_prober(alice, flag, addresses[0], FIRST_SOURCE_PORT + number)
                for number, flag in enumerate(("-m", "-f"))
            ]
            mapping, filtering = (prober.communicate(timeout=PROBER_WITHIN_S)[0] for prober in probers)
        x.check(
            "the prober finds the mapping that is declared",
            expected=MAPPING[x.behaviour.mapping.value],
            observed=verdict(mapping),
            source="RFC 5780 section 4.3",
        )
        x.check(
            "the prober finds the filtering that is declared",
            expected=FILTERING[x.behaviour.filtering.value],
            observed=verdict(filtering),
            source="RFC 5780 section 4.4",
        )
        x.check(
            "the server saw alice as an external address only",
            expected=[str(x.settings.external_addresses[0])],
            observed=sorted(set(SEEN_AS.findall(mapping + filtering))),
            source="RFC 8489 XOR-MAPPED-ADDRESS",
        )
        x.account()


def start_server(host: Any, addresses: list[str]) -> None:
    """Start a STUN server on both addresses, and return when it listens. Raises RuntimeError after a deadline."""
    log = FOLDER / "turnserver.log"
    listening = [word for address in addresses for word in ("--listening-ip", address)]
    command = ["turnserver", "-n", *listening, "--stun-only", "--no-auth", "--no-tcp", "--no-tls", "--no-dtls"]
    # These keep it from leaving a pidfile, a database and a log elsewhere.
    command += ["--no-cli", "--pidfile=", f"--userdb={FOLDER}/turndb", "--log-file=stdout", "--relay-threads=0"]
    with log.open("w") as words:
        process = start(host, command, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
    expected = {(address, port) for address in addresses for port in STUN_PORTS}
    deadline = time.monotonic() + SERVER_WITHIN_S
    while not expected <= udp_sockets(process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the STUN server does not listen: {log.read_text().strip()[-500:]}")
        time.sleep(0.01)


def start(host: Any, command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program in a host's network, without a shell of the host."""
    namespace = os.open(host.netns, os.O_RDONLY)
    try:
        enter = functools.partial(enter_namespace, namespace, CLONE_NEWNET)
        return subprocess.Popen(command, preexec_fn=enter, **options)
    finally:
        os.close(namespace)


def udp_sockets(pid: int) -> set[tuple[str, int]]:
    """Return the endpoints of the UDP sockets in a process's network, from proc(5), in the host's byte order."""
    lines = Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]
    found = [line.split()[1].split(":") for line in lines]
    return {(dotted(address), int(port, 16)) for address, port in found}


def dotted(address: str) -> str:
    """Return the dotted form of an address such as 016433C6."""
    return str(ipaddress.IPv4Address(int(address, 16).to_bytes(4, sys.byteorder)))


def start_prober(host: Any, flag: str, server: str, port: int) -> subprocess.Popen[str]:
    """Start a prober of mapping (-m) or filtering (-f) at a source port of its own.

    The prober keeps to that port. Without its own address (-L) it would not notice that there is no NAT.
    """
    command = ["turnutils_natdiscovery", flag, "-L", host.IP(), "-l", str(port), server]
    return start(host, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def verdict(output: str) -> str:
    """Return what the prober found, in its own words, or all that it printed if it found nothing."""
    return " ".join(VERDICT.findall(output)) or " | ".join(output.split("\n"))
