"""An executor on many machines: Dask's, with its own scheduler and workers.

A lab takes a worker's resource `lab`, of which a worker has one. So there is one lab at a time on it, however many
threads it has. Dask does the work of a lost worker again, on another one.

Every worker has to be as this process is, by `sameness`. That is looked at before anything starts, and again by
each work, since a worker may come later.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from testbed.sandbox.enter import MachineError
from testbed.sweep.apart import apart
from testbed.sweep.sameness import Facts, differences, facts
from testbed.sweep.spreading import Spread

LAB = "lab"
WITHIN_S = 10
"""The seconds in which a scheduler has to answer."""
AHEAD = 2
"""The works that a worker has got or is to get next, so that it need not wait for one."""
MOST_NAMED = 5

Given = TypeVar("Given")
Answer = TypeVar("Answer")


class OtherVersionError(MachineError):
    """A worker is of another version: the message says of which."""


@contextmanager
def cluster(address: str, *, labs: bool, files: Sequence[str]) -> Iterator[Spread]:
    """Use the cluster of a scheduler. Raises MachineError if there is none, or no worker that can do the work."""
    from distributed import Client

    try:
        client = Client(address, timeout=WITHIN_S)
    except (OSError, ValueError) as error:
        raise MachineError(
            f"--cluster {address}: no scheduler of Dask answers there ({error}); start one by "
            "`vagrant/dask scheduler`"
        ) from None
    try:
        here = facts(files)
        _require_same(here, client.run(facts, files, on_error="return"), address)
        count = _places(client, address, labs=labs)
        options: dict[str, Any] = {"resources": {LAB: 1}} if labs else {}
        yield Spread(
            lambda: client.get_executor(pure=False, **options),
            AHEAD * count,
            around=lambda do: functools.partial(_on_worker, here, files, labs, do),
        )
    finally:
        client.close()


def _places(client: Any, address: str, *, labs: bool) -> int:
    """Return the number of works that the workers do at once. Raises MachineError if that is none."""
    start = f"vagrant/dask worker {address} --nthreads 1 --resources {LAB}=1"
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if not workers:
        raise MachineError(f"--cluster {address}: the scheduler has no worker; start one by `{start}`")
    count = sum(int(each["resources"].get(LAB, 0)) if labs else each["nthreads"] for each in workers)
    if not count:
        raise MachineError(f"--cluster {address}: no worker has the resource {LAB}; start one by `{start}`")
    return count


def _require_same(here: Facts, workers: dict[str, Any], address: str) -> None:
    for worker, there in workers.items():
        if isinstance(there, Exception):
            raise OtherVersionError(
                f"--cluster {address}: worker {worker} has another lastport, which knows no sweeps ({there}); "
                "take the same checkout on every machine"
            )
        _require(here, there, worker)


def _require(here: Facts, there: Facts, worker: str) -> None:
    found = [*differences(here, there)]
    if found:
        more = f", and {len(found) - MOST_NAMED} more" * (len(found) > MOST_NAMED)
        raise OtherVersionError(
            f"worker {worker} is not as this command is: {'; '.join(found[:MOST_NAMED])}{more}; take the same "
            "checkout and the same environment on every machine"
        )


def _on_worker(
    here: Facts, files: Sequence[str], labs: bool, do: Callable[[Given], Answer], given: Given
) -> Answer:
    """Do a work, on a worker that is as the command is."""
    from distributed import get_worker

    _require(here, facts(files), get_worker().address)
    return apart(do, given) if labs or files else do(given)
