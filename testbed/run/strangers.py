"""Files of a user's own among what was chosen, and what they declare: data, read from them behind walls.

A scenario, topology, gateway, allocator or policy in a file is imported by a child that has no network, no rights
and no file to write to (`testbed/sandbox/apart.py`). What is decided about a run with it, or shown of it, is
decided there as well, and comes out as JSON. Of an allocator or a policy that is a few facts: the run is decided
about by this process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from controller.settings import ConfigurationError
from controller.settings.declared import Declared, Question
from controller.settings.extensions import is_file
from controller.settings.strategies import found
from testbed.experiment.plan import Run
from testbed.sandbox.apart import ApartError, RaisedError, apart, is_apart
from testbed.sandbox.enter import MachineError, Walled
from testbed.sandbox.walls import Limits, WallsError

PROCESSES = 256
PROCESSES_PER_CLIENT = 4
"""How many processes and threads a run may have, besides a number for each client."""
MOST_CLIENTS = 1024
LEAST_MEMORY = 1 << 30
WITHIN_S = 3600.0
"""The seconds that a run may take."""
LONGEST = 100
"""The most characters of what was written in place of what a class declares."""
MOST_IN_FILE = 256 << 20
"""The most bytes of a file: each capture is one, and on the machine's disk."""
PACKAGES = ("controller", "scenarios", "testbed", "topologies")
"""Our own packages that a run may import."""
CHECKOUT = Path(__file__).resolve().parents[2]
BENCHMARKS = CHECKOUT / "benchmarks"


def files_among(names: Iterable[object]) -> list[Path]:
    """Return the paths of the files among names and values, each once; a link's as well as what it leads to.

    What the benches bring with this checkout is ours.
    """
    texts = [name for name in names if isinstance(name, str)]
    files = [Path(text.partition(":")[0]) for text in texts if is_file(text)]
    files = [file for file in files if BENCHMARKS not in file.resolve().parents]
    both = [place for file in files for place in (Path(os.path.abspath(file)), file.resolve())]
    return list(dict.fromkeys(both))


def programs() -> list[Path]:
    """Return the folders that our own programs need: this checkout, and the Python environment."""
    cached = [sys.pycache_prefix] if sys.pycache_prefix else []
    paths: list[str | Path] = [CHECKOUT, sys.prefix, sys.base_prefix, *filter(None, sys.path), *cached]
    found = [Path(path).resolve() for path in paths]
    return [path for path in dict.fromkeys(found) if not any(other in path.parents for other in found)]


def declared(
    files: Collection[Path],
    work: Callable[[], Any],
    *raises: type[ConfigurationError],
    about: str,
    within: float | None = None,
) -> Any:
    """Return what `work` returns, which meets the classes in `files`, as JSON has it.

    Raises ConfigurationError, or one of its subclasses in `raises`, for what the user has to mend, and
    MachineError if this machine has no walls. `about` begins the sentence if the code ends the work, or
    takes longer than `within` seconds.
    """
    known: tuple[type[Exception], ...] = (ConfigurationError, MachineError, *raises)
    errors = {error.__name__: error for error in known}
    try:
        return apart(work, raises=known, shown=programs(), files=files, within=within)
    except RaisedError as error:
        raise errors.get(error.kind, ConfigurationError)(str(error)) from None
    except ApartError as error:
        raise ConfigurationError(
            f"{about}: what it declares could not be read: it {error}; nothing but definitions belongs outside of "
            "its classes"
        ) from None
    except WallsError as error:
        raise MachineError(lacks_walls(error)) from None


class _Known:
    """What has been asked for already, by the question and the state of the file."""

    answers: ClassVar[dict[tuple[str, tuple[int, ...]], Declared | ConfigurationError]] = {}


def ask_apart(question: Question) -> Declared | None:
    """Return what an allocator or a policy in a file declares, found by a child. In the child, leave it to that.

    Raises ConfigurationError and MachineError as `declared`.
    """
    files = files_among([question.name])
    if not are_met(files):
        return None
    key = question.key, _state(files[0])
    if key not in _Known.answers:
        try:
            _Known.answers[key] = _found_apart(question, files)
        except ConfigurationError as error:
            _Known.answers[key] = error
    answer = _Known.answers[key]
    if isinstance(answer, ConfigurationError):
        raise answer
    return answer


def _found_apart(question: Question, files: list[Path]) -> Declared:
    about = ", ".join(map(str, files))
    answer = declared(files, lambda: found(question).model_dump(mode="json"), about=about)
    try:
        facts = Declared.model_validate(answer)
    except ValidationError:
        raise ConfigurationError(
            f"{about}: what it declares could not be read: it wrote {str(answer)[:LONGEST]!r} in its place"
        ) from None
    if question.ports is not None and not 1 <= facts.capacity <= len(question.ports):
        raise ConfigurationError(f"{about}: what it declares could not be read: a length of {facts.capacity}")
    return facts


def _state(file: Path) -> tuple[int, ...]:
    try:
        facts = file.stat()
    except OSError:
        return ()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def walled(plan: Run, shown: Collection[Path] = ()) -> Walled | None:
    """Return how a run is walled in: None, if no file of a user's own is part of it. It sees what is `shown`."""
    files = [*dict.fromkeys([*files_among(plan.names), *map(Path, plan.programs)])]
    if not files:
        return None
    import compileall  # a run of one of ours does without

    for package in PACKAGES:
        compileall.compile_dir(CHECKOUT / package, quiet=2)  # behind walls nothing that is compiled can be kept
    clients = plan.parameters.get("clients")
    processes = PROCESSES + PROCESSES_PER_CLIENT * min(clients if isinstance(clients, int) else 0, MOST_CLIENTS)
    memory = max(LEAST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return Walled(
        [*programs(), *shown], files, Limits(processes=processes, memory=memory, file=MOST_IN_FILE), WITHIN_S
    )


def are_met(files: Collection[Path]) -> bool:
    """Whether work has to be done apart: there are files, and this process is not the child for them."""
    return bool(files) and not is_apart()


def lacks_walls(error: WallsError) -> str:
    """Return the sentence for a machine on which a file of one's own cannot be walled in."""
    return f"a file of one's own is imported and run behind walls only, and here there can be none: {error}"
