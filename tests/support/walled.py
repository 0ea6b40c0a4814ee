"""Tests that need walls: they are skipped where this user may make no user namespaces."""

from __future__ import annotations

import functools

import pytest

from testbed.sandbox.apart import apart
from testbed.sandbox.walls import WallsError


@functools.cache
def why_not() -> str:
    """Return why there can be no walls here, or an empty text."""
    try:
        apart(lambda: None, raises=(), shown=(), files=())
    except WallsError as error:
        return str(error)
    return ""


needs_walls = pytest.mark.skipif("__import__('tests.support.walled', fromlist=['x']).why_not()", reason="no walls")
"""Marks a test that needs them."""
