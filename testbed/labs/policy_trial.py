"""A NAT on the bench with a student's policy, and what the grading knows of it: who has what, and the decisions.

Only `decide` is the submission's, and what it returns is looked at before the NAT acts on it.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from typing import Any

from controller.nat.model import TCP, Answer, Endpoint, Mapping, Protocol
from controller.nat.strategies.exhaustion.policy import Decision, Evict, Policy, Shortage, Wait
from controller.settings import Settings
from testbed.labs.simulated import Simulated, Went
from testbed.labs.submission import Submission
from testbed.labs.trial import KEPT, Socket, WrongError

SERVER = Endpoint.parse("198.51.100.1:7")
PATIENCE_S = 5.0
"""How long a packet may wait."""


class Trial:
    """A NAT with a student's policy, and what the grading knows about it."""

    def __init__(self, submission: Submission, settings: dict[str, Any], fallback: Answer, seed: int) -> None:
        number, evicts = submission.policy()
        self.log: list[str] = []
        self.held: list[Mapping] = []
        """The mappings, the least recently used first."""
        self.lost: list[Mapping] = []
        usual = Settings(**settings, fallback=fallback.value, hold_timeout=PATIENCE_S).for_nat()
        asked = type("Asked", (_Asked,), {"evicts": evicts, "trial": self})
        self._submission, self._number = submission, number
        self._world = Simulated(dataclasses.replace(usual, on_exhaustion=asked), seed, ended=self._take_ended)

    def decide(self, shortage: Shortage) -> Decision:
        """Ask the submission. Raises WrongError for what is no decision."""
        victims = [*shortage.victims]
        told = [[each.protocol, each.internal, each.external, each.toward, each.last_use] for each in victims]
        packet = [*map(int, shortage.packet)]
        kind, *words = self._submission.words(
            "decide", self._number, packet, shortage.limit.name, told, shortage.fallback.value
        )
        call = f"decide({shortage.limit.name}, {shortage.packet.source}, {len(victims)} victims)"
        match kind, words:
            case "answer", [str(value)] if value in {each.value for each in Answer}:
                decision: Decision = Answer(value)
                said = f"Answer.{Answer(value).name}"
            case "wait", []:
                decision, said = Wait(), "Wait()"
            case "evict", [int(place)] if 0 <= place < len(victims):
                decision, said = Evict(victims[place]), f"Evict({victims[place].internal})"
            case "did", [str(what)]:
                self.log.append(f"{call} {what}")
                raise self.wrong(f"decide {what}", "a decision")
            case _:
                raise self.wrong("decide answered what is no decision", "a decision")
        self.log.append(f"{call} -> {said}")
        return decision

    def send(self, socket: Socket, protocol: Protocol = TCP) -> Mapping | Went:
        """Send from an inside socket to the server; a hundredth of a second passes."""
        self._world.wait(0.01)
        self._world.read()
        source = Endpoint(socket.address, socket.port)
        went = self._world.send(source, SERVER, protocol)
        if isinstance(went, Mapping):
            self._world.read()
            self._use(went)
        return went

    def fill(self, subscribers: dict[int, int], rng: random.Random | None = None) -> None:
        """Have subscribers make mappings, each the number that it has here, in any order or in theirs."""
        sockets = [Socket(who, number) for who, count in subscribers.items() for number in range(count)]
        if rng is not None:
            rng.shuffle(sockets)
        for socket in sockets:
            went = self.send(socket)
            if not isinstance(went, Mapping):
                raise self.wrong(f"{socket} got {went} while ports were free", "a mapping")

    def wait(self, seconds: float) -> None:
        """Let time pass; packets that were held may pass now."""
        self._world.wait(seconds)
        for mapping in self._world.resumed:
            self._use(mapping)
        self._world.resumed.clear()

    def has(self, socket: Socket) -> bool:
        """Whether a socket has a mapping."""
        return any(each.internal == Endpoint(socket.address, socket.port) for each in self.held)

    def counts(self) -> Counter[int]:
        """Return how many mappings each subscriber has, by its address."""
        return Counter(each.internal.address for each in self.held)

    def wrong(self, seen: str, expected: str) -> WrongError:
        """Return what is wrong, with the last decisions."""
        return WrongError(seen, expected, self.log[-KEPT:])

    def _use(self, mapping: Mapping) -> None:
        if mapping in self.held:
            self.held.remove(mapping)
        self.held.append(mapping)

    def _take_ended(self, mapping: Mapping) -> None:
        if mapping in self.held:
            self.held.remove(mapping)
        self.lost.append(mapping)


class _Asked(Policy):
    """The policy of the NAT on the bench, which asks a submission."""

    trial: Trial

    def decide(self, shortage: Shortage) -> Decision:
        return self.trial.decide(shortage)
