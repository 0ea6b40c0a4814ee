"""What a command needs besides its files: an interpreter, a Python environment, what a link leads to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from topologies.gateways.app import options, surroundings
from topologies.gateways.app.options import AppOptions
from topologies.gateways.program import options as of_program
from topologies.gateways.program.options import ProgramOptions


def script(path: Path, first: str) -> Path:
    """Make an executable script with a first line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{first}\nbody\n")
    path.chmod(0o755)
    return path


def test_a_program_of_a_virtual_environment_needs_the_environment_and_the_python_that_it_is_of(
    tmp_path: Path,
) -> None:
    """Its packages are beside its `bin`, and its `python` is a link to another place, with modules of its own."""
    python = script(tmp_path / "pyenv" / "bin" / "python3.9", "")
    (tmp_path / "pyenv" / "lib" / "python3.9").mkdir(parents=True)
    (tmp_path / "pyenv" / "lib" / "python3.9" / "os.py").touch()
    linked = tmp_path / "venv" / "bin" / "python"
    manager = script(tmp_path / "venv" / "bin" / "ryu-manager", f"#!{linked}")
    linked.symlink_to(python)
    (tmp_path / "venv" / "pyvenv.cfg").touch()

    assert surroundings.around([str(manager)]) == [
        str(each) for each in (manager, tmp_path / "venv", linked, python, tmp_path / "pyenv")
    ]


def test_a_command_starts_the_python_of_its_environment_and_not_the_one_behind_it(tmp_path: Path) -> None:
    """Python finds its environment by the place that it is started from."""
    linked = tmp_path / "venv" / "bin" / "python"
    linked.parent.mkdir(parents=True)
    linked.symlink_to("/bin/sh")

    assert options.command([f"{linked} nat"]) == [str(linked), "nat"]


def test_a_file_beside_which_is_no_environment_needs_nothing(tmp_path: Path) -> None:
    """Nor does a folder, or what is not there."""
    assert surroundings.around([str(script(tmp_path / "bin" / "nat", "no first line"))]) == [
        str(tmp_path / "bin" / "nat")
    ]
    assert surroundings.interpreter(str(tmp_path / "not-there")) == ""


@pytest.mark.parametrize(
    ("key", "check"),
    [
        ("app", lambda nat: options.check(AppOptions(app=(nat,)))),
        ("program", lambda nat: of_program.check(ProgramOptions(program=nat))),
    ],
    ids=["app", "program"],
)
def test_a_script_whose_interpreter_is_gone_is_refused_with_its_name(
    tmp_path: Path, key: str, check: Callable[[str], None]
) -> None:
    """As after a virtual environment has been moved. The kernel would only say that there is no such file."""
    nat = str(script(tmp_path / "nat", "#!/gone/bin/python -u"))

    with pytest.raises(ConfigurationError) as refused:
        check(nat)

    names = f"setting {key}: the first line of {nat} names '/gone/bin/python', which is no program here"
    assert names in str(refused.value)
