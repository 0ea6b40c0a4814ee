"""Work in a process of its own, for a worker with several threads: a lab handles signals in a main thread.

The process gets the function and what it is given on standard input, and answers on standard output. It ends with
the thread that waits for it, so no lab outlives a worker that was killed.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

from testbed.sandbox.enter import MachineError
from testbed.sandbox.linux import die_with_parent

Given = TypeVar("Given")
Answer = TypeVar("Answer")


def apart(do: Callable[[Given], Answer], given: Given) -> Answer:
    """Return what a function returns, or raise what it raises. Raises MachineError if its process was lost."""
    command = [sys.executable, "-P", "-m", __name__]
    done = subprocess.run(command, input=pickle.dumps((do, given)), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise MachineError(f"the process of a point ended with status {done.returncode}")
    answer = pickle.loads(done.stdout)
    if isinstance(answer, Exception):
        raise answer
    return answer  # type: ignore[no-any-return] # it is what `do` has returned


def main() -> None:
    """Do what standard input has."""
    die_with_parent()
    told = os.dup(1)
    os.dup2(2, 1)  # whatever prints is no answer
    do, given = pickle.loads(sys.stdin.buffer.read())
    try:
        answer = do(given)
    except Exception as error:
        answer = error
    with os.fdopen(told, "wb") as out:
        out.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
