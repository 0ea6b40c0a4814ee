"""What passt can follow of the settings, and what it does by itself: data, each fact with its source.

It is no translator of packets. It ends each TCP connection of its guest with a TCP of its own, and has a socket of
its kernel's for the other half. Three things follow:

- Over TCP the kernel gives a port for each connection, and the same port again toward another destination. So
  these ports are the kernel's, from `ip_local_port_range`.
- Over UDP it binds the guest's own source port, which need not be in that range. The socket has SO_REUSEADDR. So
  two guests with one source port share an external endpoint, and one of them gets the answers of both. Of UDP
  nothing is declared here.
- A connection that gets no port is answered with a RST. In older versions it acknowledges nothing. A host that has
  sent a SYN takes no such RST (RFC 9293 section 3.10.7.3), and so gets no answer. In a newer one hosts take it.
"""

from __future__ import annotations

import re

from controller.settings import Settings
from topologies.gateways import relayed
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.versions import printed, read_of

SILENCE_S, HALF_CLOSED_S, UDP_S = 7200.0, 60.0, 180.0
"""ACT_TIMEOUT and FIN_TIMEOUT of tcp.c, and UDP_CONN_TIMEOUT of udp.c. It looks once a second."""
DEFAULTS, FOLLOWED, REUSE_S = relayed.DEFAULTS, relayed.FOLLOWED, relayed.REUSE_S
RESTRICTIONS = (
    Restriction("on_exhaustion", ("drop",), "its version decides how it refuses, and no setting changes that"),
    *relayed.OF_THE_KERNEL,
)
READ, MEASURED = "0.0~git20230309", "0.0~git20250503"
"""The version whose source code was read, and a newer one whose refusal was measured."""
PACKAGE = ("dpkg-query", "--show", "--showformat=${Version}", "passt")
"""Debian's package knows its version. The program itself does not."""
SILENT = {"tcp": "timeout", "udp": "timeout", "icmp": "timeout"}
_LINUX = "Linux, net/ipv4/inet_hashtables.c: __inet_hash_connect"
_RELEASE = re.compile(r"0\.0~git\d{8}")


def version() -> str:
    """Return the version of the installed passt, by the day of its release; empty if that is not known."""
    found = _RELEASE.match(printed(*PACKAGE))
    return found.group() if found else ""


def ports_exhausted(installed: str) -> Entry[Exhaustion]:
    """Return how this version refuses. Nobody has looked at those between the two known ones, and after them."""
    if installed == MEASURED:
        return Entry(Exhaustion({**SILENT, "tcp": "reset"}), "measured: its RST is taken", f"passt {MEASURED}")
    if installed and installed <= READ:
        source = "passt, tcp.c: tcp_rst_do, a RST without ACK; RFC 9293 section 3.10.7.3: a SYN's sender drops it"
        return Entry(Exhaustion(SILENT), source, f"passt {READ}")
    unknown = f"not known of this version: with {READ} a host sees silence, and with {MEASURED} a RST"
    return Entry(Exhaustion({}), unknown, f"passt {installed or 'of an unknown version'}")


def behaviour(settings: Settings) -> Behaviour:
    """Return what it does over TCP under these settings."""
    installed = version()
    found = f"passt {read_of(READ, installed)}"
    is_read = bool(installed) and installed <= READ
    back = {
        "close": (0.0, 2 * REUSE_S),
        "late close": (0.0, 2 * REUSE_S),
        "half-close": (HALF_CLOSED_S, HALF_CLOSED_S + 1.0),
        "reset": (0.0, REUSE_S),
        "silence": (SILENCE_S, 2 * SILENCE_S),
        "udp": (UDP_S, UDP_S + 1.0),
    }
    return Behaviour(
        mapping=Entry("edm", "passt, tcp.c: tcp_conn_from_tap, a socket for each connection", found),
        filtering=Entry("edf", "tcp(7): a connected socket; over UDP it is eif (passt, udp.c)", found),
        overlapping=Entry("endpoint", f"{_LINUX}, __inet_check_established", "any version"),
        pooling=Entry("paired", "there is one address, which the kernel's route has", "any version"),
        finds_every_port_of=Entry(
            settings.port_count, f"{_LINUX}, a search through the whole range", "any version"
        ),
        fills_every_address=Entry(False, "there is one address", "any version"),
        keeps_source_port=Entry(False, "passt, tcp.c: it binds no port, and the kernel draws one", found),
        ports_exhausted=ports_exhausted(installed),
        state_exhausted=Entry(
            Exhaustion(SILENT if is_read else None),
            "passt, tcp.c: tcp_conn_from_tap, TCP_MAX_CONNS and tcp_conn_new_sock",
            found,
        ),
        port_back=Entry(back, "passt, tcp.c: ACT_TIMEOUT, FIN_TIMEOUT; ip(7) and tcp(7): tcp_tw_reuse", found),
        relays=Entry(True, "passt(1): it has native sockets on the host for each flow", found),
        icmp_identifiers=Entry("unknown", "passt(1), ping sockets: kept where they can be bound", found),
        protocols=Entry(
            ("tcp",), "over UDP it binds the guest's own source port, in use or not: udp.c, sock_l4", found
        ),
    )
