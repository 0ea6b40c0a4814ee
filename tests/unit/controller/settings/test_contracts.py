"""What a class lacks of its abstract base class: told as it would have to be written, before it is made."""

from __future__ import annotations

import abc
import functools
from typing import Any, ClassVar

import pytest

from controller.nat.strategies.allocators import ALLOCATORS, Allocator
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.exhaustion.policy import Policy
from controller.settings.contracts import lacks
from testbed.registry import KINDS, found, ours


class Base(abc.ABC):
    """Asks for something of every kind."""

    is_loud: ClassVar[bool] = False

    @abc.abstractmethod
    def run(self, x: int) -> None:
        """Run."""

    @classmethod
    @abc.abstractmethod
    def declare(cls, settings: int, options: str = "") -> None:
        """Declare."""

    @staticmethod
    @abc.abstractmethod
    def add(one: int, *, other: int) -> int:
        """Add."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """The size."""

    @abc.abstractmethod
    def build(self, *hosts: str, **options: str) -> None:
        """Build."""

    def check(self, settings: int) -> int:
        """Check; the base does it already."""
        return settings

    def _help(self, settings: int) -> int:
        """Help in private."""
        return settings


class Whole(Base):
    """Has all of it."""

    def run(self, x: int) -> None:
        """Run."""

    @classmethod
    def declare(cls, settings: int, options: str = "") -> None:
        """Declare."""

    @staticmethod
    def add(one: int, *, other: int) -> int:
        """Add."""
        return one + other

    size = 3

    def build(self, *hosts: str, **options: str) -> None:
        """Build."""


def test_a_class_that_has_everything_lacks_nothing() -> None:
    """What the base does already, nobody has to write."""
    assert lacks(Whole, Base) == []


def test_a_class_that_has_nothing_is_told_everything_in_the_order_of_the_base() -> None:
    """With the base's own parameters, and no types."""
    assert lacks(type("Empty", (Base,), {}), Base) == [
        "def run(self, x)",
        "@classmethod def declare(cls, settings, options='')",
        "@staticmethod def add(one, *, other)",
        "@property def size(self)",
        "def build(self, *hosts, **options)",
    ]


def test_a_class_that_derives_from_nothing_can_be_asked_too() -> None:
    """It lacks what it would not inherit."""
    assert lacks(type("Stranger", (), {"run": lambda self, x: None}), Base) == [
        "@classmethod def declare(cls, settings, options='')",
        "@staticmethod def add(one, *, other)",
        "@property def size(self)",
        "def build(self, *hosts, **options)",
    ]


def old_run(self: object, lab: int, parameters: int, settings: int, report: int) -> None:
    """Run as one did before."""


class Callable:
    """An object that can be called like a method."""

    def __call__(self, *arguments: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("members", "lacking"),
    [
        ({"run": old_run}, "def run(self, x)"),
        ({"run": lambda self: None}, "def run(self, x)"),
        ({"run": 3}, "def run(self, x)"),
        ({"run": lambda self, y: None}, None),
        ({"run": lambda self, *others: None}, None),
        ({"run": lambda self, x, more=1: None}, None),
        ({"run": staticmethod(lambda x: None)}, None),
        ({"run": classmethod(lambda cls, x: None)}, None),
        ({"run": staticmethod(lambda self, x: None)}, "def run(self, x)"),
        ({"run": functools.lru_cache(lambda self, x: None)}, None),
        ({"run": print}, None),
        ({"run": Callable()}, None),
        (
            {"declare": lambda cls, settings, options="": None},
            "@classmethod def declare(cls, settings, options='')",
        ),
        (
            {"declare": classmethod(lambda cls, settings: None)},
            "@classmethod def declare(cls, settings, options='')",
        ),
        ({"declare": staticmethod(lambda settings, options: None)}, None),
        ({"add": staticmethod(lambda one, other: one)}, None),
        ({"add": staticmethod(lambda one: one)}, "@staticmethod def add(one, *, other)"),
        ({"add": lambda one, other: one}, "@staticmethod def add(one, *, other)"),
        ({"build": lambda self, clients: None}, "def build(self, *hosts, **options)"),
        ({"build": lambda self: None}, None),
        ({"check": lambda self: None}, "def check(self, settings)"),
        ({"check": lambda self, settings: None}, None),
        ({"_help": lambda self: None}, None),
        ({"is_loud": True}, None),
        ({"is_loud": "no"}, "is_loud = False (or True)"),
    ],
)
def test_a_member_that_cannot_take_the_place_of_the_base_s_is_as_good_as_none(
    members: dict[str, Any], lacking: str | None
) -> None:
    """It would be met in the middle of a run."""
    assert lacks(type("Mine", (Whole,), members), Base) == ([] if lacking is None else [lacking])


def test_a_base_that_asks_for_nothing_is_never_lacked() -> None:
    """It need not be abstract."""
    assert lacks(type("Mine", (), {}), type("Any", (), {})) == []


OURS = {
    **{f"allocator {name}": (cls, Allocator) for name, cls in ALLOCATORS.items()},
    **{f"policy {name}": (cls, Policy) for name, cls in POLICIES.items()},
    **{f"{kind} {name}": (cls, found(KINDS[kind].base)) for kind in KINDS for name, cls in ours(kind).items()},
}


@pytest.mark.parametrize("name", OURS)
def test_ours_have_what_is_asked_of_a_stranger_s(name: str) -> None:
    """The check is not stricter than we are."""
    assert lacks(*OURS[name]) == []
