"""The end of the controller by any failure: the framework would log it and go on, with a NAT that lost its rules.

The last line that is printed is the reason. Where a stranger's allocator or policy is at fault, it is a sentence
for the author of that, and no traceback comes before it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from controller.settings import ConfigurationError


def fatal(function: Callable[..., None]) -> Callable[..., None]:
    """Let an exception in a function end the process."""

    @functools.wraps(function)
    def guarded(*arguments: Any) -> None:
        try:
            function(*arguments)
        except ConfigurationError as error:
            die(str(error))
        except Exception as error:  # whatever it is
            sys.excepthook(type(error), error, error.__traceback__)
            die(f"{function.__name__} failed")

    return guarded


def die(reason: str) -> None:
    """End the process at once."""
    print(f"controller: {reason}", file=sys.stderr, flush=True)
    os._exit(1)
