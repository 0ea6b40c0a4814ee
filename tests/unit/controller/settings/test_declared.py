"""A stranger's allocator or policy in a process that must not execute it: a few facts, and none of its code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from controller.nat.model import Answer
from controller.settings import Settings
from controller.settings.declared import Declared, ask_by, known

NOT_EXECUTED = "import sys\nsys.lastport_was_here = True\n"


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Write a file that must not be executed."""
    (tmp_path / "own.py").write_text(NOT_EXECUTED)
    return str(tmp_path / "own.py")


def test_a_file_is_not_executed_where_its_facts_are_known(own: str) -> None:
    """The core's settings have stand-ins, and the capacity is the one that was declared."""
    settings = Settings(port_allocation_type=own, on_exhaustion=own, ports=8)
    ask_by(lambda question: Declared(capacity=5, by_subscriber=True, evicts=True, answers=Answer.ICMP))

    nat = settings.for_nat()

    assert settings.capacity == nat.capacity == 5
    assert (nat.is_by_subscriber, nat.on_exhaustion.evicts) == (True, True)
    assert nat.on_exhaustion.answers is Answer.ICMP
    assert not hasattr(sys, "lastport_was_here")


def test_what_a_class_declares_is_found_by_its_question(tmp_path: Path) -> None:
    """An allocator's facts are those with these ports; what a run has of them is enough for the next process."""
    path = tmp_path / "half.py"
    path.write_text("""
from controller.api import Allocator, Answer, Policy

class Half(Allocator):
    by_subscriber = True
    def __init__(self, plan): self.free = list(plan.ports[::2])
    def __len__(self): return len(self.free)
    def allocate(self, internal, now): return self.free.pop() if self.free else None
    def release(self, port, now): self.free.append(port)

class Silent(Policy):
    answers = Answer.NOTHING
    def decide(self, shortage): return Answer.NOTHING
""")
    settings = Settings(port_allocation_type=str(path), on_exhaustion=str(path), ports=8)

    declared = settings.declared()
    ask_by(known({key: Declared.model_validate(facts.model_dump(mode="json")) for key, facts in declared.items()}))

    assert [*declared.values()] == [Declared(capacity=4, by_subscriber=True), Declared(answers=Answer.NOTHING)]
    assert settings.for_nat().allocator.__name__ == "StandIn"
    assert settings.capacity == 4
    assert Settings(port_allocation_type=str(path), ports=6).capacity == 6


def test_ours_have_nothing_to_declare() -> None:
    """They are imported, and asked themselves."""
    assert Settings().declared() == {}
