"""Blocking by formula: Erlang B for many sources, Engset for few.

A port is a server, and a mapping is a call. Its holding time is all the time for which nobody else can have the
port: the connection's life, its closing timer or idle timeout, and the port's rest. Both formulas hold for any
distribution of that time with the same mean. They take attempts that come one by one, a search that finds every
free port, and refused attempts that are not repeated.

Sources: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic
telephone exchanges", 1917. T. O. Engset, 1918. For ports of a NAT: F. Fourcot et al., "Erlang-based dimensioning
for IPv4 Address+Port translation", IEEE ICC 2012.
"""

from __future__ import annotations

from collections.abc import Sequence


def erlang_b(erlangs: float, ports: int) -> float:
    """Return the share of attempts that find no port free, with `erlangs` of load offered to `ports`."""
    blocking = 1.0
    for port in range(1, ports + 1):
        blocking = erlangs * blocking / (port + erlangs * blocking)
    return blocking


def engset(erlangs: float, ports: int, sources: int) -> float:
    """Return the share of attempts that find no port free, if `sources` have one connection each at most.

    `erlangs` is the load that they would carry if nothing were refused: it must be less than their number. An
    attempt sees what the other sources do (call congestion).
    """
    per_idle_source = erlangs / (sources - erlangs)
    blocking = 1.0
    for port in range(1, ports + 1):
        offered = per_idle_source * (sources - port) * blocking
        blocking = offered / (port + offered)
    return blocking


def ports_for(erlangs: float, target: float) -> int:
    """Return the least number of ports that refuse at most `target` of the attempts."""
    ports, blocking = 0, 1.0
    while blocking > target:
        ports += 1
        blocking = erlangs * blocking / (ports + erlangs * blocking)
    return ports


def apart(erlangs: Sequence[float], ports: int) -> float:
    """Return the blocking of destinations that have all ports each (RFC 7857 section 3), over all attempts."""
    offered = sum(erlangs)
    return sum(each * erlang_b(each, ports) for each in erlangs) / offered if offered else 0.0
