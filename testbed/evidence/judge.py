"""The judge of one run: by all witnesses it finds what leaked, which clients shared, and which SYNs were held."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from testbed.evidence import judging
from testbed.evidence.knowing import Knowing
from testbed.evidence.oddities import Oddities
from testbed.evidence.strays import Strays
from testbed.evidence.witnesses import LeakWitness, Syns, TcpWitness
from testbed.sandbox.slowness import patient
from testbed.traffic.records import Attempt, Sighting
from testbed.traffic.wire import Endpoint


class WitnessError(Exception):
    """The evidence is not complete, so the run has no verdict."""


class Judge:
    """The evidence of servers, kernels and the wire about one run, put together when it is asked for."""

    def __init__(
        self,
        leaks: Iterable[LeakWitness],
        tcp: TcpWitness,
        sightings: Callable[[], list[Sighting]],
        keeps: Mapping[str, float],
        *,
        strays: Strays,
        oddities: Oddities,
        knowing: Knowing,
        under_way: float = 0.0,
    ) -> None:
        """`sightings` asks all servers. `keeps` has the seconds for which a silent client keeps its endpoint.

        `under_way` are the most seconds for which a frame is on its client's link, before the NAT has it.
        """
        self._under_way = under_way
        self._strays = strays
        self._oddities = oddities
        self._knowing = knowing
        self._leaks = list(leaks)
        self._tcp = tcp
        self._sightings = sightings
        self._keeps = keeps
        self._judged: tuple[list[Sighting], int] | None = None
        self._shared: set[int] = set()

    @property
    def sees_sharing(self) -> bool:
        """Whether the wire is read, so that two clients on one external endpoint are seen."""
        return self._tcp.is_there

    def leaks(self) -> tuple[int, set[Endpoint]]:
        """Return the number of frames outside with an inside source, and the sources of those that were read."""
        for witness in self._leaks:
            witness.look()
        sources = set().union(*(witness.sources for witness in self._leaks))
        return sum(witness.frames for witness in self._leaks), sources

    def shared(self) -> set[int]:
        """Return the nonces of attempts whose external endpoint another used at the same time."""
        evidence = self._sightings(), self._tcp.frames
        if evidence != self._judged:
            spoken = judging.heard(evidence[0], self._tcp.speakers())
            sightings = judging.lasting(spoken, self._tcp.ends(), self._keeps)
            self._shared = judging.shared(sightings) | judging.intruded(sightings, self._tcp.syns())
            self._judged = evidence
        return self._shared

    def settle(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Return the attempts, with the outcome `unanswered` for each connection that no server knows of."""
        return self._knowing.settle(attempts)

    def unanswered(self) -> set[int]:
        """Return the nonces of attempts that had a connection, or an answer, of which no server knows."""
        return self._knowing.unanswered()

    def findings(self) -> dict[str, int]:
        """Return how often this run had what no run may have, by the keys in `findings.CLAIMS`."""
        found = {"sources": self._strays.foreign()}
        if self._tcp.is_there:
            found["astray-outside"] = self._strays.at_servers()
            found["astray-inside"] = self._strays.at_clients(self._sightings, self._tcp.syns)
            found["unanswered"] = len(self.unanswered())
            found |= self._oddities.arrived()
        return found

    def unlooked(self) -> dict[str, str]:
        """Return the findings that cannot be made in this run, by their keys, and why."""
        return self._oddities.unlooked()

    def held(self, attempts: Collection[Attempt]) -> set[int]:
        """Return the numbers of attempts whose SYN the NAT held, and then let through."""
        slow = patient(judging.HELD_S) - judging.HELD_S
        return judging.held(attempts, self._tcp.syns(), under_way=self._under_way + slow)

    def waits(self, attempts: Collection[Attempt]) -> dict[int, float]:
        """Return the seconds that each SYN that was sent once was under way, by the attempt's number."""
        return judging.waits(attempts, self._tcp.syns())

    def sent_again(self, attempts: Collection[Attempt]) -> set[int]:
        """Return the numbers of attempts whose kernels sent their SYN again."""
        return judging.sent_again(attempts, self._tcp.syns())

    def let_through_late(self, attempts: Collection[Attempt]) -> int:
        """Return how many of these attempts, all that were made, got through after they had been given up.

        Nobody refused them. Over TCP the wire outside shows the number, and otherwise the servers saw them.
        """
        given_up = {attempt.nonce for attempt in attempts if attempt.outcome != "established"}
        if not given_up:
            return 0
        opened = self._tcp.connections() - (len(attempts) - len(given_up))
        seen = {sighting.nonce for sighting in self._sightings()} & given_up
        return min(len(given_up), max(opened, len(seen), 0))

    def opening_syns(self) -> Syns:
        """Return the SYNs on the wire outside: initial sequence numbers and times, by source and destination."""
        return self._tcp.syns()

    def require_complete(self) -> None:
        """Raise WitnessError if the witnesses missed packets. The kernel counts those it could not hand over."""
        if missed := self._tcp.missed:
            raise WitnessError(
                f"the witnesses on the wire missed {missed:,} packets, so what these were is unknown: this "
                "machine was too busy to keep up; run it again with less other load, or with fewer attempts"
            )
