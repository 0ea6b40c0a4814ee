"""A folder to work in: the skeleton of what is handed in, and the numbers that it is checked with."""

from __future__ import annotations

import os
from pathlib import Path

import jinja2

from controller.settings import ConfigurationError
from testbed.labs.lab import Lab
from testbed.labs.variants import Variant
from testbed.run.folder import give_to_caller
from testbed.run.written import UNREADABLE, value_of

SKELETONS = Path(__file__).with_name("skeletons")
HANDED_IN = {
    "allocator": "allocator.py",
    "predictions": "predictions.yaml",
    "policy": "policy.py",
    "check": "check.py",
    "nat": "nat.py",
}
"""The name of the file that is handed in, for each kind of submission."""
BESIDE = {"check": ("scenario.py", "suspect.py")}
"""What else is made in the folder, for each kind of submission that has more."""
NUMBERS = "numbers.yaml"


def made(lab: Lab) -> tuple[str, ...]:
    """Return the names of the files that `start` makes beside the one that is handed in."""
    return (*BESIDE.get(lab.submission, ()), NUMBERS)


def start(lab: Lab, variant: Variant, student: str | None, parent: Path) -> Path:
    """Make the folder `lab-NN`, and return it. Raises ConfigurationError if it is there already."""
    folder = parent / f"lab-{lab.number}"
    name = HANDED_IN[lab.submission]
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    facts = {
        **{each.replace("-", "_"): value for each, value in variant.items()},
        "student": student or "a student",
        "requirements": lab.requirements,
    }
    texts = {
        each: environment.from_string((SKELETONS / f"{each}.j2").read_text()).render(facts)
        for each in (name, *BESIDE.get(lab.submission, ()))
    }
    told = "".join(f"{each}: {variant[each]} # {number.means}\n" for each, number in lab.variant.items())
    try:
        folder.mkdir()
        _give(folder)
        for file, text in {**texts, NUMBERS: told}.items():
            (folder / file).write_text(text)
            _give(folder / file)
    except FileExistsError:
        raise ConfigurationError(f"{folder} is there already; go on in it, or move it away") from None
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error.strerror}; take a folder of your own, and begin there"
        ) from None
    return folder


def started(lab: Lab, where: Path) -> tuple[Path, Variant]:
    """Return what is handed in from a folder that `start` has made, here or below, and the numbers in it."""
    folders = (where, where / f"lab-{lab.number}")
    name = HANDED_IN[lab.submission]
    for folder in folders:
        if (folder / name).is_file() and (folder / NUMBERS).is_file():
            return folder / name, _numbers(lab, folder / NUMBERS)
    raise ConfigurationError(
        f"there is no {name} with {NUMBERS} here; begin with: lastport lab start {lab.number}"
    )


def _numbers(lab: Lab, path: Path) -> Variant:
    """Return the numbers of a file. Raises ConfigurationError for one that no student can have."""
    try:
        found = value_of(path.read_text())
    except (OSError, *UNREADABLE) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    for name, number in lab.variant.items():
        value = found.get(name) if isinstance(found, dict) else None
        if type(value) is not int or value not in number.values():
            raise ConfigurationError(
                f"{path}: {name}={value!r} is not possible; it is one of {number.least}, "
                f"{number.least + number.step} ... {number.most}, as on your sheet"
            )
    return {name: found[name] for name in lab.variant}


def _give(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    give_to_caller(descriptor)
    os.close(descriptor)
