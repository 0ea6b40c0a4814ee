"""What slirp4netns can follow of the settings, and what it does by itself: data, each fact with its source.

It is no translator of packets. It ends each connection of an inside host by a TCP of its own, libslirp's, and has
a socket of its kernel's for the other half. So its ports are the kernel's, from `ip_local_port_range`. Three
things follow:

- Over TCP the kernel gives a port for each connection, and the same port again toward another destination. Over
  UDP a socket serves an inside endpoint for all destinations, and takes what comes from anywhere.
- The settings' timers are not its own: a TCP connection ends with its ends only, and a UDP socket after 240 s.
- What hosts see of TCP are two connections: sequence numbers, options and TTL are not the other end's.
"""

from __future__ import annotations

from controller.settings import Settings
from topologies.gateways import relayed
from topologies.gateways.base import Restriction
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.versions import printed, read_of

UDP_S = 240.0
"""SO_EXPIRE of libslirp's socket.h, from the last datagram of either side."""
NEVER_S = 86_400.0
"""Stands for a time that never ends: libslirp ends no connection that is silent."""
DEFAULTS, FOLLOWED, REUSE_S = relayed.DEFAULTS, relayed.FOLLOWED, relayed.REUSE_S
RESTRICTIONS = (
    Restriction(
        "on_exhaustion", ("drop",), "it answers as its kernel's errors have it, and no setting changes that"
    ),
    *relayed.OF_THE_KERNEL,
)
READ = "slirp4netns 1.2.0, libslirp 4.7.0"
"""The versions whose source code was read."""
ASK = ("slirp4netns", "--version")
_LINUX = "Linux, net/ipv4/inet_hashtables.c: __inet_hash_connect"


def versions(told: str) -> dict[str, str]:
    """Return the versions of the program and of its library, by what `--version` prints."""
    first, *lines = told.splitlines() or [""]
    program = first.partition("slirp4netns version ")[2]
    others = dict(line.split(": ", 1) for line in lines if ": " in line)
    found = {"slirp4netns": program, "libslirp": others.get("libslirp", "")}
    return {name: version for name, version in found.items() if version}


def behaviour(settings: Settings) -> Behaviour:
    """Return what it does under these settings."""
    installed = ", ".join(f"{name} {version}" for name, version in versions(printed(*ASK)).items())
    found = read_of(READ, installed)
    refused = Entry(
        Exhaustion({"tcp": "icmp", "udp": "icmp", "icmp": "icmp"}),
        "libslirp, tcp_input.c and udp.c: a socket's error becomes ICMP 3/0, icmp_send_error",
        found,
    )
    back = {
        "close": (0.0, 2 * REUSE_S),
        "late close": (0.0, 2 * REUSE_S),
        "half-close": (0.0, NEVER_S),
        "reset": (0.0, REUSE_S),
        "silence": (NEVER_S, NEVER_S),
        "udp": (UDP_S, UDP_S + 1.0),
    }
    return Behaviour(
        mapping=Entry("edm", "libslirp, tcp_subr.c: tcp_fconnect, a socket for each connection", found),
        filtering=Entry("edf", "tcp(7): a connected socket; over UDP it is eif (libslirp, socket.c)", found),
        overlapping=Entry("endpoint", f"{_LINUX}, __inet_check_established", "any version"),
        pooling=Entry("paired", "there is one address, which the kernel's route has", "any version"),
        finds_every_port_of=Entry(
            settings.port_count, f"{_LINUX}, a search through the whole range", "any version"
        ),
        fills_every_address=Entry(False, "there is one address", "any version"),
        keeps_source_port=Entry(False, "libslirp binds no port: the kernel draws one", found),
        ports_exhausted=refused,
        state_exhausted=Entry(
            Exhaustion({"tcp": "reset", "udp": "timeout", "icmp": "timeout"}),
            "libslirp, if no socket can be made: tcp_input.c, dropwithreset; udp.c, a datagram is dropped",
            found,
        ),
        port_back=Entry(back, "libslirp, socket.h: SO_EXPIRE; ip(7) and tcp(7): tcp_tw_reuse", found),
        relays=Entry(
            True, "libslirp, README: a TCP/IP emulator, with a socket of the host's for each flow", found
        ),
        icmp_identifiers=Entry("unknown", "libslirp, ip_icmp.c: icmp_send, a socket for each echo", found),
    )
