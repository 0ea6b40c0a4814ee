"""What a stranger's allocator or policy declares, for a process that must not execute it.

A process that decides about a run, or judges one, needs a few facts of such a class and none of its code: the
number of ports that an allocator gives, and the answer that a policy sends. `ask_by` gets a function that knows
them. From then on no such file is imported in the process, and a class has a stand-in with these facts.

Without such a function the class itself is used, as in the controller and in a child behind walls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from pydantic import BaseModel, ConfigDict

from controller.nat.model import Answer, Endpoint
from controller.nat.port_set import Ports, ranges_of
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.exhaustion.policy import Policy, Shortage


class Declared(BaseModel):
    """The facts of an allocator, which are the first two, or of a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capacity: int = 0
    by_subscriber: bool = False
    evicts: bool = False
    answers: Answer | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A stranger's class, and what an allocator of it would have to do with."""

    name: str
    ports: Ports | None = None
    """None asks for a policy."""
    port_set_size: int = 1
    port_set_timeout: float = 0.0

    @property
    def key(self) -> str:
        """The question as a text, which the answer is found by."""
        if self.ports is None:
            return self.name
        ranges = [(each[0], each[-1]) for each in ranges_of(self.ports)]
        return f"{self.name} {json.dumps([ranges, self.port_set_size, float(self.port_set_timeout)])}"


Ask = Callable[[Question], Declared | None]
"""Answers a question, or leaves it to the class itself."""


class _State:
    ask: Ask | None = None


def ask_by(ask: Ask | None) -> None:
    """Have questions answered by a function in this process, whatever it is asked for."""
    _State.ask = ask


def told(question: Question) -> Declared | None:
    """Return what is known, or None where the class itself is to be used. Raises ConfigurationError."""
    return _State.ask(question) if _State.ask else None


def known(answers: Mapping[str, Declared]) -> Ask:
    """Return what answers by what is known, and of other ports supposes that an allocator gives each of them."""

    def ask(question: Question) -> Declared:
        if question.key in answers:
            return answers[question.key]
        alike = (facts for key, facts in answers.items() if key.startswith(f"{question.name} "))
        usual = next(alike, Declared())
        return usual.model_copy(update={"capacity": len(question.ports or ())})

    return ask


def allocator_with(facts: Declared) -> type[Allocator]:
    """Return an allocator that has these facts and gives no port."""

    class StandIn(Allocator):
        by_subscriber = facts.by_subscriber

        def __init__(self, plan: PortPlan) -> None:
            pass

        def __len__(self) -> int:
            return facts.capacity

        def allocate(self, internal: Endpoint, now: float) -> int | None:
            _be_none()

        def release(self, port: int, now: float) -> None:
            _be_none()

    return StandIn


def policy_with(facts: Declared) -> type[Policy]:
    """Return a policy that has these facts and decides nothing."""

    class StandIn(Policy):
        evicts, answers = facts.evicts, facts.answers

        def decide(self, shortage: Shortage) -> NoReturn:
            _be_none()

    return StandIn


def _be_none() -> NoReturn:
    raise RuntimeError("a stranger's class is asked in a process that only knows what it declares")
