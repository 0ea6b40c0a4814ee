"""What runs behind the walls of a grading: it imports a submission, makes calls to it, and answers their values.

It knows nothing of requirements, points, seeds to come or the course's key: these are in another process. So a
submission that takes this program over can do no more than answer values.

It is copied beside the submission and started there with the standard library alone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import random
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUESTIONS, ANSWERS = 3, 4
LENGTH = struct.Struct(">I")
LONGEST = 300
"""The characters of an error's words that are answered."""


class Answering:
    """Answers what it is asked about one submission."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._made: dict[int, Any] = {}
        self._handed_in: Any = None
        self._checking: Checking | None = None

    def answer(self, name: str, *arguments: Any) -> Any:
        """Return the value of one question. An error of the submission's is a value, too."""
        return getattr(self, f"_{name}")(*arguments)

    def _load(self, kind: str) -> None:
        """Import the file, and find its one class of a kind, or its function `check`."""
        spec = importlib.util.spec_from_file_location("submission", self._file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["submission"] = module
        spec.loader.exec_module(module)
        self._handed_in = _function(module) if kind == "check" else _class(module, kind.capitalize())

    def _new(self, number: int, ranges: list[tuple[int, int]], seed: int) -> None:
        """Make an allocator of these ranges of ports, with its own seed."""
        from controller.api import PortPlan
        from controller.nat.port_set import united

        ports = united(range(start, end) for start, end in ranges)
        plan = PortPlan(ports=ports, rng=random.Random(seed), port_set_size=64, port_set_timeout=60.0)
        self._made.pop(number, None)
        self._made[number] = self._handed_in(plan)

    def _calls(self, number: int, calls: list[list[Any]]) -> list[Any]:
        """Make calls in turn, each `[method, ...]`, and return the value of each."""
        from controller.api import Endpoint

        made, values = self._made[number], []
        for method, *arguments in calls:
            if method == "allocate":
                address, port, now = arguments
                values.append(tried(made.allocate, Endpoint(address, port), now))
            elif method == "release":
                values.append(tried(made.release, *arguments))
            else:
                values.append(tried(made.__len__))
        return values

    def _policy(self, number: int) -> list[Any]:
        """Make a policy, and return whether it evicts, and what it answers."""
        self._made.pop(number, None)
        self._made[number] = made = self._handed_in()
        return [bool(made.evicts), getattr(made.answers, "value", None)]

    def _decide(
        self, number: int, packet: list[int], limit: str, victims: list[list[Any]], fallback: str
    ) -> list[Any]:
        """Return what a policy decides: a list of words, with the place of the mapping that it ends."""
        from controller import api
        from controller.nat.model import TcpFlags

        protocol, source, destination, flags = packet
        whole = [
            api.Mapping(api.Protocol(of), _endpoint(internal), _endpoint(external), _endpoint(toward), last_use)
            for of, internal, external, toward, last_use in victims
        ]
        shortage = api.Shortage(
            api.Packet(api.Protocol(protocol), _endpoint(source), _endpoint(destination), TcpFlags(flags)),
            api.Limit[limit],
            iter(whole),
            api.Answer(fallback),
        )
        try:
            decision = self._made[number].decide(shortage)
        except Exception as error:
            return ["did", f"raised {type(error).__name__}: {error}"[:LONGEST]]
        if isinstance(decision, api.Answer):
            return ["answer", decision.value]
        if isinstance(decision, api.Wait):
            return ["wait"]
        if isinstance(decision, api.Evict):
            places = [place for place, each in enumerate(whole) if each is decision.mapping]
            return ["evict", *places] if places else ["did", "chose a mapping that is none of the victims"]
        return ["did", f"returned {decision!r}"[:LONGEST]]

    def _check(self, facts: dict[str, Any]) -> list[Any]:
        """Begin a check, and return its first question to the NAT, or what it has found."""
        if self._checking is not None:
            self._checking.abandon()
        self._checking = Checking(self._handed_in, facts)
        return self._checking.next()

    def _went(self, value: Any) -> list[Any]:
        """Go on with a check, whose question has this answer."""
        assert self._checking is not None
        return self._checking.next(value)


class AbandonedError(BaseException):
    """Nobody is interested in a check any more."""


class Nat:
    """The NAT as a check sees it: packets go in, and come out elsewhere. `facts` is its data sheet."""

    def __init__(self, ask: Callable[..., Any], facts: dict[str, Any]) -> None:
        self._ask = ask
        self.facts = facts

    def send(self, source: str, target: str, protocol: str = "udp") -> str:
        """Send from inside. Return the endpoint that the target sees, or `icmp`, `reset` or `nothing`."""
        return str(self._ask("send", source, target, protocol))

    def answer(self, external: str, sender: str, protocol: str = "udp") -> str:
        """Send from outside to an external endpoint. Return the inside endpoint that gets it, or `nothing`."""
        return str(self._ask("answer", external, sender, protocol))

    def close(self, source: str, target: str) -> None:
        """Have both ends close a TCP connection."""
        self._ask("close", source, target)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._ask("wait", seconds)


class Checking:
    """A check that runs in a thread of its own, and stops at each of its questions."""

    def __init__(self, check: Callable[[Nat], Any], facts: dict[str, Any]) -> None:
        self._asked: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._is_begun = self._is_abandoned = False
        self._thread = threading.Thread(target=self._run, args=(check, Nat(self._ask, facts)), daemon=True)

    def next(self, value: Any = None) -> list[Any]:
        """Return the next question, or what the check has found."""
        if self._is_begun:
            self._answers.put(value)
        else:
            self._is_begun = True
            self._thread.start()
        return self._asked.get()

    def abandon(self) -> None:
        """End the check at its question."""
        self._is_abandoned = True
        self._answers.put(None)

    def _ask(self, *question: Any) -> Any:
        self._asked.put(["do", *question])
        value = self._answers.get()
        if self._is_abandoned:
            raise AbandonedError
        return value

    def _run(self, check: Callable[[Nat], Any], nat: Nat) -> None:
        try:
            found = check(nat)
            self._asked.put(["found", None if found is None else str(found)[:LONGEST]])
        except AbandonedError:
            pass
        except BaseException as error:
            self._asked.put(["did", f"raised {type(error).__name__}: {error}"[:LONGEST]])


def _class(module: Any, base: str) -> Any:
    from controller import api

    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, getattr(api, base)) and each.__module__ == "submission"
    ]
    if len(found) != 1:
        named = ", ".join(each.__name__ for each in found) or "none"
        raise TypeError(f"the file needs one class that derives from {base}, and has {named}")
    return found[0]


def _function(module: Any) -> Any:
    found = vars(module).get("check")
    if not callable(found):
        raise TypeError("the file has no function check(nat)")
    return found


def _endpoint(number: int) -> Any:
    from controller.api import Endpoint

    return Endpoint(number >> 16, number & 0xFFFF)


def tried(call: Any, *arguments: Any) -> Any:
    """Return a number or None that a call returns, and words in a list for everything else."""
    try:
        value = call(*arguments)
    except Exception as error:
        return [f"raised {type(error).__name__}: {error}"[:LONGEST]]
    if value is None or type(value) is int:
        return value
    return [f"returned {value!r}"[:LONGEST]]


def main() -> None:
    """Answer questions until there are no more."""
    sys.path.insert(0, str(HERE / "product"))
    answering = Answering(HERE / "submission.py")
    with os.fdopen(QUESTIONS, "rb") as questions, os.fdopen(ANSWERS, "wb") as answers:
        while head := questions.read(LENGTH.size):
            number, question = json.loads(questions.read(*LENGTH.unpack(head)))
            try:
                value = ["value", answering.answer(*question)]
            except Exception as error:
                value = ["raised", f"{type(error).__name__}: {error}"[:LONGEST]]
            content = json.dumps([number, value]).encode()
            answers.write(LENGTH.pack(len(content)) + content)
            answers.flush()


if __name__ == "__main__":
    main()
