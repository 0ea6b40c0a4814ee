"""No failure passes: the framework logs it and goes on, with a NAT that has lost its rules. Ours ends it all."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any


def fatal(function: Callable[..., None]) -> Callable[..., None]:
    """Let an exception in a function end the process."""

    @functools.wraps(function)
    def guarded(*arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception as error:  # whatever it is
            sys.excepthook(type(error), error, error.__traceback__)
            die(f"{function.__name__} failed")

    return guarded


def die(reason: str) -> None:
    """End the process at once."""
    print(f"controller: {reason}", file=sys.stderr, flush=True)
    os._exit(1)
