"""What questions need of a NAT's policy: of what it declares for when its ports have run out."""

from __future__ import annotations

from testbed.api import Asked, Of, Refusal, Requirement, of_ports, room

EVICTING_AT_LEAST = 2
UNKNOWN = "unknown"
"""Stands for the policy of a NAT that is somebody else's."""


def holds_or_drops(why: str) -> Requirement:
    """Need a NAT that holds a packet without a port, or drops it silently, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        exhaustion = asked.declared.ports_exhausted.value
        if exhaustion.outcome == {}:
            return _unknown(asked, why, "drop")
        drops = exhaustion.evicts != "lru" and (exhaustion.outcome or {}).get("tcp") == "timeout"
        if exhaustion.holds or drops:
            return None
        neither = f"it neither holds a packet nor drops it silently, and {why}"
        return _refused(asked, neither, "on_exhaustion=hold or drop")

    return Requirement(f"a NAT that holds a packet without a port, or drops it: {why}", unmet, Of.GATEWAY)


def declares_its_signal(why: str) -> Requirement:
    """Need a NAT that declares what a refused program learns, or that it evicts for it, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        exhaustion = asked.declared.ports_exhausted.value
        if exhaustion.outcome or exhaustion.evicts == "lru":
            return None
        if exhaustion.outcome == {}:
            return _unknown(asked, why, "drop, icmp or reset")
        unknown = "it is not declared what a program learns under this policy"
        return _refused(asked, f"{unknown}, and {why}", "one of the project's own policies")

    return Requirement(f"a NAT that declares what a refused program learns: {why}", unmet, Of.GATEWAY)


def ports_to_evict(why: str) -> Requirement:
    """Need more than one port where the NAT evicts, because `why`."""

    def unmet(asked: Asked) -> Refusal | None:
        ports = asked.settings.port_count
        if asked.declared.ports_exhausted.value.evicts != "lru" or ports >= EVICTING_AT_LEAST:
            return None
        return of_ports(asked.settings, f"the NAT evicts, and {why}", f"ports={EVICTING_AT_LEAST} or more")

    return Requirement(f"{EVICTING_AT_LEAST} ports or more where the NAT evicts: {why}", unmet, Of.GATEWAY)


def each_newcomer_evicts() -> Requirement:
    """Need no more newcomers than connections that can go for them, where the NAT evicts."""

    def unmet(asked: Asked) -> Refusal | None:
        attempts, fits = asked.parameters.attempts, room_of(asked)
        if asked.declared.ports_exhausted.value.evicts != "lru" or attempts <= 2 * fits:
            return None
        why = f"with more than {2 * fits:,} a newcomer may find that all {fits:,} connections are on their way out"
        return Refusal("attempts", attempts, why, f"attempts={2 * fits} or fewer", kind="parameter")

    return Requirement("no more newcomers than connections that can go, where the NAT evicts", unmet, Of.GATEWAY)


def room_of(asked: Asked) -> int:
    """Return the number of connections that fit at once."""
    return room(asked.settings, asked.parameters.protocol, asked.parameters.subscribers)


def _unknown(asked: Asked, why: str, ways: str) -> Refusal:
    """Return the refusal of a NAT that refuses in a way that nobody knows. A relay has no author to promise it."""
    reason = f"nobody knows how this NAT refuses, and {why}"
    promise = f"--set on_exhaustion={ways}, if the NAT does that, which is then checked"
    way_out = "another --gateway" if asked.declared.relays.value else promise
    return Refusal("on_exhaustion", UNKNOWN, reason, way_out)


def _refused(asked: Asked, why: str, way_out: str) -> Refusal:
    return Refusal("on_exhaustion", asked.settings.on_exhaustion, why, way_out)
