"""The registry: how a file of one's own gets the base class of its kind."""

from __future__ import annotations

import importlib.util

import pytest

from testbed.registry import KINDS, found

is_there = importlib.util.find_spec("testbed.api") is not None


@pytest.mark.parametrize("kind", KINDS)
def test_the_line_that_imports_a_base_class_does(kind: str) -> None:
    """It is what a user is told to write."""
    if "testbed.api" in KINDS[kind].importing and not is_there:
        pytest.skip("there is no testbed.api yet")
    namespace: dict[str, object] = {}

    exec(KINDS[kind].importing, namespace)

    assert namespace[KINDS[kind].importing.split()[-1]] is found(KINDS[kind].base)
