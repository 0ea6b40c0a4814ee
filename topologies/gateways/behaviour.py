"""What a gateway declares about itself, before it is tried: facts as data, each with its source and version.

Scenarios check what was observed against what is declared here. So a claim about a NAT is made once, with the
document or the source code that it rests on, and a kernel that changes its mind turns a check red.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from controller.settings import ConfigurationError

T = TypeVar("T")


PROMISE = "its author's promise"


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One declared fact: `source` is a document or a place in source code, true of `version`."""

    value: T
    source: str
    version: str

    @property
    def is_promise(self) -> bool:
        """Whether the author of a stranger's NAT has promised it."""
        return self.source.startswith(PROMISE)

    def __str__(self) -> str:
        """Name the source as a check does."""
        return f"{self.source} ({self.version})"


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """What becomes of a connection for which something has run out.

    `outcome` is one of a refused attempt's (`timeout`, `icmp`, `reset`, `leaked`), by protocol, or None where it
    is not known what becomes of it. It is empty for a NAT that refuses at once, in a way that is not known.
    `evicts` names what goes for it instead: `nothing`, `lru` (the least recently used mapping) or `unassured` (an
    entry that traffic of both directions has not yet assured of its place). `holds`: it waits first. `after` has
    the seconds that it waits at least before it is refused or served, beyond the time that packets take.
    """

    outcome: dict[str, str] | None
    evicts: str = "nothing"
    holds: bool = False
    after: float = 0.0


TRANSLATES: Entry[bool] = Entry(False, "RFC 3022 section 2.2: a NAT passes packets on", "any version")
EVERY_PROTOCOL: Entry[tuple[str, ...]] = Entry(("tcp", "udp", "icmp"), "it tells no protocol apart", "any version")
CHALLENGES: Entry[bool] = Entry(True, "RFC 5382 section 4: a NAT follows TCP's state machine", "any version")
IN_TURN: Entry[bool] = Entry(False, "it decides about one packet after the other", "any version")
UNDECLARED: Entry[str] = Entry("undeclared", "it declares nothing", "any version")
ENDINGS = ("close", "late close", "half-close", "reset", "silence", "udp")
"""How a connection may end, for the time after which its port is back."""
WORDS: dict[str, tuple[Any, ...]] = {
    "mapping": ("eim", "adm", "edm", "unknown"),
    "filtering": ("eif", "adf", "edf", "unknown"),
    "overlapping": ("off", "address", "endpoint"),
    "pooling": ("paired", "paired-soft", "arbitrary", "roundrobin", "in-order", "unknown"),
    "fills_every_address": (True, False),
    "keeps_source_port": (True, False, None),
    "icmp_identifiers": ("pool", "kept", "unknown"),
    "passes_challenges": (True, False),
    "clashes": (True, False),
    "port_order": ("random", "search", "sequential", "blocks", "undeclared"),
}
"""The values that may be declared of a fact, if they are words."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one gateway does under its settings, in the words of RFC 4787 and of the settings' values."""

    mapping: Entry[str]
    """`eim`, `adm` or `edm`, for a host whose port no other host wants; `unknown` where it is none of these."""
    filtering: Entry[str]
    """`eif`, `adf` or `edf`; `unknown` where nobody can tell."""
    overlapping: Entry[str]
    """`off`, `address` or `endpoint`: toward what destinations one port may be used twice."""
    pooling: Entry[str]
    """`paired`, `paired-soft`, `arbitrary`, `roundrobin` or `in-order`; `unknown` where nobody can tell."""
    finds_every_port_of: Entry[int]
    """Up to this number of ports of an address, the last free one is found. Above it, refusals come early.

    A search that starts at a random 16-bit number may miss a port where that number wraps. Unless the number of
    ports is a power of two, this happens about once in 65,536 / ports searches.
    """
    fills_every_address: Entry[bool]
    """Whether hosts are spread over several addresses so that the ports of all can be used up."""
    keeps_source_port: Entry[bool | None]
    """Whether a host's own port is given where it is in the range and free; otherwise any is. None: unknown."""
    ports_exhausted: Entry[Exhaustion]
    """What happens when no port is free toward a destination."""
    state_exhausted: Entry[Exhaustion]
    """What happens when its table of sessions or mappings is full (`limit_sessions`, or what stands for it)."""
    port_back: Entry[dict[str, tuple[float, float]]]
    """Seconds until a port can be given again, the least and the most, by how its connection ended.

    `close` (from the second FIN), `late close` (the same, after some time half-closed), `half-close` (from the one
    FIN), `reset`, `silence` (TCP, from the last packet) and `udp` (from the last datagram).
    """
    icmp_identifiers: Entry[str]
    """`pool`: from the ports' range. `kept`: as the host chose it; of two hosts with one, one is refused.
    `unknown`: the number of those in use at once is not known, but it is that of the ports or more.
    """

    port_order: Entry[str] = UNDECLARED
    """The order in which it gives ports that no host has asked for, as far as a fresh pool shows it.

    `random`: each free port is equally likely. `search`: the first free one from a random port on. `sequential`:
    the next one. `blocks`: a host has no more blocks of `port_set_size` ports than it needs. `undeclared`: nobody
    can judge it.
    """

    relays: Entry[bool] = TRANSLATES
    """Whether it ends each connection and begins another in its place. Then no packet has a counterpart on the
    other side, and packets are not matched one to one."""

    protocols: Entry[tuple[str, ...]] = EVERY_PROTOCOL
    """The protocols of which all of this is true. Of others it promises nothing, and is asked no question."""
    passes_challenges: Entry[bool] = CHALLENGES
    """Whether a client whose SYN met an old connection gets the challenge ACK (RFC 5961), and the server a RST."""

    clashes: Entry[bool] = IN_TURN
    """Whether two first packets that come at once may take the same port, so that one of them is lost."""

    def __post_init__(self) -> None:
        """Raise ConfigurationError if a value is not one that can be declared of its fact."""
        for fact, words in WORDS.items():
            value = getattr(self, fact).value
            if value not in words:
                raise _undeclarable(fact, value, f"one of {', '.join(map(str, words))}")
        if type(self.finds_every_port_of.value) is not int:
            raise _undeclarable("finds_every_port_of", self.finds_every_port_of.value, "a number of ports")
        for fact in ("ports_exhausted", "state_exhausted"):
            if not isinstance(getattr(self, fact).value, Exhaustion):
                raise _undeclarable(fact, getattr(self, fact).value, "an Exhaustion")
        if missing := [ending for ending in ENDINGS if ending not in self.port_back.value]:
            raise _undeclarable("port_back", self.port_back.value, f"also the seconds after {', '.join(missing)}")


def _undeclarable(fact: str, value: Any, way_out: str) -> ConfigurationError:
    return ConfigurationError(f"declared {fact}={value!r} is not possible; take {way_out}")
