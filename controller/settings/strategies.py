"""The allocator and the policy that a setting names: ours, or a stranger's, which is tried and watched.

A stranger's class is tried before anything starts: it is made once, and an allocator gives a few ports and takes
them back. In a run each of its ports and decisions is checked, and one that cannot be used ends the run with a
sentence. Ours have tests instead, so that they pay nothing for it.
"""

from __future__ import annotations

import ast
import random
from pathlib import Path
from typing import Any

from controller.nat.model import Answer, Endpoint
from controller.nat.port_set import Ports
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.exhaustion.policy import Decision, Evict, Policy, Shortage, Wait
from controller.settings.checking import ConfigurationError
from controller.settings.declared import Declared, Question, allocator_with, policy_with, told
from controller.settings.extensions import is_file, own_class, tried

GET_ALLOCATOR = "from controller.api import Allocator"
GET_POLICY = "from controller.api import Policy"

TOO_HEAVY = ("testbed", "topologies", "scenarios", "mininet")
"""Packages that a file with an allocator or a policy must not import."""
FIRST_HOST = 0x0A000001
"""10.0.0.1, which asks a stranger's allocator for a port before anything starts, and so do the hosts after it."""
TRIALS = 8
"""How many of them there are, each with another port of its own."""


def allocator(name: str, *, ports: Ports, port_set_size: int, port_set_timeout: float) -> type[Allocator]:
    """Return the allocator that `name` stands for, after a trial with these ports. Raises ConfigurationError."""
    if name in ALLOCATORS:
        return ALLOCATORS[name]
    question = Question(name, ports, port_set_size, port_set_timeout)
    facts = told(question)
    return _own_allocator(question) if facts is None else allocator_with(facts)


def policy(name: str) -> type[Policy]:
    """Return the policy that `name` stands for. Raises ConfigurationError."""
    if name in POLICIES:
        return POLICIES[name]
    facts = told(Question(name))
    return _own_policy(name) if facts is None else policy_with(facts)


def declared(question: Question) -> Declared:
    """Return what a stranger's class declares, by whoever knows it here. Raises ConfigurationError."""
    return told(question) or found(question)


def found(question: Question) -> Declared:
    """Return what a stranger's class declares, by executing it. Raises ConfigurationError."""
    if question.ports is None:
        policy = _own_policy(question.name)
        return Declared(evicts=bool(policy.evicts), answers=policy.answers)
    cls = _own_allocator(question)
    capacity = tried(f"allocator {question.name!r} cannot be made", lambda: len(cls(_plan(question))))
    return Declared(capacity=capacity, by_subscriber=bool(cls.by_subscriber))


def _own_allocator(question: Question) -> type[Allocator]:
    name = question.name
    _require_light("allocator", name)
    cls = own_class("allocator", name, Allocator, importing=GET_ALLOCATOR)
    watched = _watched_allocator(cls, f"allocator {name!r}: class {cls.__name__}")
    _try(watched, name, _plan(question))
    return watched


def _plan(question: Question) -> PortPlan:
    assert question.ports is not None
    return PortPlan(question.ports, random.Random(0), question.port_set_size, question.port_set_timeout)


def _own_policy(name: str) -> type[Policy]:
    _require_light("policy", name)
    cls = own_class("policy", name, Policy, importing=GET_POLICY)
    tried(f"policy {name!r} cannot be made", cls)
    if cls.answers is not None and not isinstance(cls.answers, Answer):
        raise ConfigurationError(
            f"policy {name!r}: class {cls.__name__} has answers={cls.answers!r}; take one such as Answer.ICMP"
        )
    return _watched_policy(cls, f"policy {name!r}: class {cls.__name__}")


def _require_light(kind: str, name: str) -> None:
    """Raise ConfigurationError if a file imports what is not for the controller's process, as Mininet."""
    file = Path(name.partition(":")[0])
    if not is_file(name) or not file.is_file():
        return
    tree = tried(f"{kind} {str(file)!r}", ast.parse, file.read_bytes(), str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            if module.partition(".")[0] in TOO_HEAVY:
                raise ConfigurationError(
                    f"{kind} {name!r}: line {node.lineno} imports {module}, but the controller loads this file; "
                    "take what it needs from controller.api, and put the rest into a file of its own"
                )


def _try(cls: type[Allocator], name: str, plan: PortPlan) -> None:
    """Make an allocator, let it give a few ports, and give them back. Raises ConfigurationError."""
    mine = tried(f"allocator {name!r} cannot be made", cls, plan)
    capacity = tried(f"allocator {name!r} cannot be made", len, mine)
    called, most = f"allocator {name!r}: class {cls.__name__}", len(plan.ports)
    if not 1 <= capacity <= most:
        raise ConfigurationError(
            f"{called} is not possible with ports={most}: a new one has the length {capacity}, not 1 to {most}; "
            "return the number of free ports from __len__, or take more ports"
        )
    given = []
    for number, port in enumerate(plan.ports[:TRIALS]):
        host = Endpoint(FIRST_HOST + number, port)
        given.append(mine.allocate(host, 0.0))
    if given == [None] * len(given):
        raise ConfigurationError(
            f"{called} gives no port to the first {len(given)} hosts that ask, though {capacity} are free; "
            "return one of plan.ports from allocate"
        )
    for given_port in given:
        if given_port is not None:
            mine.release(given_port, 0.0)


def _watched_allocator(cls: type[Allocator], called: str) -> type[Allocator]:
    """Return a stranger's allocator, of which each port is checked."""

    class Watched(Allocator):
        by_subscriber = cls.by_subscriber

        def __init__(self, plan: PortPlan) -> None:
            self._own, self._ports = cls(plan), plan.ports

        def __len__(self) -> int:
            return len(self._own)

        def allocate(self, internal: Endpoint, now: float) -> int | None:
            port: Any = tried(f"{called} cannot allocate", self._own.allocate, internal, now)
            if port is None or (type(port) is int and port in self._ports):
                return port
            raise ConfigurationError(
                f"{called} gave {internal} the port {port!r}, which is not one of its ports, {self._ports[0]} to "
                f"{self._ports[-1]}; return one of plan.ports from allocate, or None if none is free"
            )

        def release(self, port: int, now: float) -> None:
            tried(f"{called} cannot release {port}", self._own.release, port, now)

    Watched.__name__, Watched.__doc__ = cls.__name__, cls.__doc__
    return Watched


def _watched_policy(cls: type[Policy], called: str) -> type[Policy]:
    """Return a stranger's policy, of which each decision is checked."""

    class Watched(Policy):
        evicts, answers = cls.evicts, cls.answers

        def __init__(self) -> None:
            self._own = cls()

        def decide(self, shortage: Shortage) -> Decision:
            decision: Any = tried(f"{called} cannot decide", self._own.decide, shortage)
            if isinstance(decision, Answer | Wait | Evict):
                return decision
            raise ConfigurationError(
                f"{called} decided {decision!r}, which is no decision; return an Answer, Wait() or Evict(mapping) "
                "from decide"
            )

    Watched.__name__, Watched.__doc__ = cls.__name__, cls.__doc__
    return Watched
