"""Lab 9: a check that finds every bug, and is silent on a NAT that does what its data sheet says."""

from __future__ import annotations

SERVER, NEIGHBOUR, STRANGER = "198.51.100.1:7", "198.51.100.1:9", "203.0.113.1:7"
SPARE_S = 1
"""A freed port rests for half a second."""


def check(nat):
    """Return what is wrong with the NAT, or None."""
    for part in (timer, mapping, filtering, quota, full, release):
        found = part(nat)
        if found:
            return found
        nat.wait(2 * nat.facts["udp_timeout"] + nat.facts["close_timeout"] + SPARE_S)
    return None


def timer(nat):
    """A UDP mapping lives for its time after the last packet from inside, and a quarter longer at most."""
    seconds = nat.facts["udp_timeout"]
    first, second = (nat.send(f"10.0.0.{host}:40000", SERVER) for host in (1, 2))
    nat.wait(0.9 * seconds)
    if nat.answer(first, SERVER) != "10.0.0.1:40000":
        return "a UDP mapping ends early"
    nat.wait(0.4 * seconds)
    if nat.answer(second, SERVER) != "nothing":
        return "a UDP mapping ends late"
    if nat.answer(first, SERVER) != "nothing":
        return "packets from outside keep a UDP mapping"
    return None


def mapping(nat):
    """One socket has one external endpoint, whomever it sends to."""
    seen = {nat.send("10.0.0.1:40001", target) for target in (SERVER, NEIGHBOUR, STRANGER)}
    return "the mapping depends on the destination" if len(seen) > 1 else None


def filtering(nat):
    """Every port of a host that was sent to may answer, and no other host."""
    external = nat.send("10.0.0.1:40002", SERVER)
    if nat.answer(external, STRANGER) != "nothing":
        return "a stranger gets in"
    if nat.answer(external, NEIGHBOUR) != "10.0.0.1:40002":
        return "another port of the same server does not get in"
    return None


def quota(nat):
    """A host gets its quota, and no port more."""
    most = nat.facts["quota"]
    seen = [nat.send(f"10.0.0.1:{41000 + number}", SERVER) for number in range(most + 1)]
    got = sum(":" in each for each in seen)
    return None if got == most else f"a host gets {got} ports, and its quota is {most}"


def full(nat):
    """Every port is given, each to one socket, and then a newcomer gets an ICMP error."""
    ports, first = nat.facts["ports"], nat.facts["first_port"]
    seen = [nat.send(f"10.0.{number >> 8}.{number & 255}:42000", SERVER, "tcp") for number in range(1, ports + 1)]
    numbers = {int(each.rpartition(":")[2]) for each in seen if ":" in each}
    if numbers != set(range(first, first + ports)):
        return "not every port is given, or others"
    if nat.send("10.0.200.1:42000", SERVER, "tcp") != "icmp":
        return "a newcomer that finds no port gets no ICMP error"
    return None


def release(nat):
    """The port of a closed connection comes back after its time, and not before."""
    ports, seconds = nat.facts["ports"], nat.facts["close_timeout"]
    seen = [nat.send(f"10.0.{number >> 8}.{number & 255}:42000", SERVER, "tcp") for number in range(1, ports + 1)]
    if not all(":" in each for each in seen):
        return "not every port is given again"
    nat.close("10.0.0.1:42000", SERVER)
    nat.wait(0.9 * seconds)
    if nat.send("10.0.200.2:42000", SERVER, "tcp") != "icmp":
        return "a closed connection's port comes back early"
    nat.wait(0.4 * seconds + SPARE_S)
    if ":" not in nat.send("10.0.200.3:42000", SERVER, "tcp"):
        return "a closed connection's port comes back late"
    return None
