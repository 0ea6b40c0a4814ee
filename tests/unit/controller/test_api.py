"""What a file with an allocator or a policy of one's own may import: the list of names is a promise."""

from __future__ import annotations

import subprocess
import sys

from controller import api

NAMES = [
    "Allocator",
    "Answer",
    "Decision",
    "Endpoint",
    "Evict",
    "Limit",
    "Mapping",
    "Packet",
    "Policy",
    "PortPlan",
    "Protocol",
    "Shortage",
    "Wait",
]
LOADED = "import sys, controller.api; print(*sorted(name.partition('.')[0] for name in sys.modules))"


def test_its_names_are_these() -> None:
    """A name that goes, or changes its meaning, breaks somebody's file."""
    assert api.__all__ == NAMES
    assert all(hasattr(api, name) for name in NAMES)


def test_everything_that_a_contract_mentions_is_there() -> None:
    """Whoever annotates the methods of an allocator or a policy needs no other module of ours."""
    methods = (*vars(api.Allocator).values(), *vars(api.Policy).values())
    annotations = " ".join(
        str(annotation) for method in methods for annotation in getattr(method, "__annotations__", {}).values()
    )
    ours = {word for word in annotations.replace("|", " ").split() if word[0].isupper()} - {"None"}

    assert {"PortPlan", "Endpoint", "Shortage", "Decision"} <= ours <= set(NAMES)


def test_it_is_light() -> None:
    """The controller imports it, and so may anybody: the standard library and the core, no more."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) - sys.stdlib_module_names <= {"controller", "__main__", *site_modules()}


def site_modules() -> set[str]:
    """Return what an interpreter of this environment has loaded before it does anything."""
    asking = "import sys; print(*(name.partition('.')[0] for name in sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True).stdout.split()
    )
