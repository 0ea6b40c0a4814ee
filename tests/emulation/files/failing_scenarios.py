"""Scenarios whose `run` ends otherwise than by its end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

from testbed.api import Experiment, Parameters, Scenario


class Raising(Scenario[Parameters]):
    """What if it raises?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Check something, and fail."""
        x.check("one is one", expected=1, observed=1, source="the test")
        raise ValueError("no such host: alcie")


class Leaving(Scenario[Parameters]):
    """What if it leaves?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Leave as a program does."""
        sys.exit("nothing to do")


class Untold(Scenario[Parameters]):
    """What if its story asks for a fact that it is not told?"""

    story = "{{ ports }} ports"

    def run(self, x: Experiment[Parameters]) -> None:
        """Forget a fact."""
        x.tell()


class Unwritable(Scenario[Parameters]):
    """What if what it observed cannot be written?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Observe an object."""
        strange: Any = {(1, 2): object()}
        x.check("it is nothing", expected=None, observed=strange, source="the test")


class Silent(Scenario[Parameters]):
    """What if it asks nothing?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Account for no attempts."""
        x.account()


class Pressed(Scenario[Parameters]):
    """What if it raises what Ctrl-C raises?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Raise it."""
        raise KeyboardInterrupt


class Quitting(Scenario[Parameters]):
    """What if it ends its own process, as if all were well?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Check something, and be gone."""
        x.check("one is one", expected=1, observed=1, source="the test")
        print("I have seen enough.")
        os._exit(0)


class Multiplying(Scenario[Parameters]):
    """What if it leaves threads and processes behind, one of which comes back from `run`?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Print, start a thread and a program that outlive it, and come back twice."""
        print('{"verdict": "pass"}')
        threading.Thread(target=time.sleep, args=(600,)).start()
        subprocess.Popen(["sleep", "600"])
        x.check("one is one", expected=1, observed=1, source="the test")
        x.account()
        if os.fork() == 0:
            sys.exit("the child leaves")
        os.wait()
