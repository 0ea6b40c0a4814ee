"""What a user says of an app: files, a command or an endpoint, and the sentences for what is none of them."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from topologies.gateways.app import options
from topologies.gateways.app.gateway import AppGateway
from topologies.gateways.app.options import AppOptions

RYU = "from ryu.base import app_manager\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("import os\n", "it imports neither ryu nor os_ken"),
        (f"{RYU}import os_ken\n", "one process has one framework"),
        (f'{RYU}print "ready"\n', 'nat.py, line 2: print "ready" -- this is Python 2'),
        (f"{RYU}try:\n    pass\nexcept A, e:\n    pass\n", "line 4: except A, e: -- this is Python 2"),
        (f"{RYU}def a(:\n", "nat.py, line 2: def a(: -- invalid syntax; correct it first"),
        (f"{RYU}\0", "nat.py is no text in UTF-8; a program is given as a command"),
        (None, "nat.py: No such file or directory"),
    ],
)
def test_a_file_that_is_no_application_is_refused_with_its_line(
    folder: Path, content: str | None, words: str
) -> None:
    """Nothing of it is executed."""
    if content is not None:
        (folder / "nat.py").write_text(content)

    with pytest.raises(ConfigurationError) as refused:
        options.check(AppOptions(app="nat.py"))  # type: ignore[arg-type] # as a user writes it

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "needs to know which: --set app=FILE.py"),
        ({"app": "./nat", "controller": "tcp:127.0.0.1:6653"}, "needs one of the two"),
        ({"controller": "127.0.0.1"}, "write tcp:HOST:PORT"),
        ({"controller": "tcp:127.0.0.1:70000"}, "write tcp:HOST:PORT"),
        ({"controller": "tcp:127.0.0.1:6653", "app_config": "nat.ini"}, "nat.ini: No such file"),
        ({"app": "no-such-program --fast"}, "there is no program 'no-such-program'"),
        ({"app": "nat 'without an end"}, "No closing quotation"),
        ({"app": ["nat.py", "python3 l2"]}, "'python3 l2' is no FILE.py"),
        ({"app": "my apps/nat.py"}, "there is no file 'my apps/nat.py', and no program 'my'"),
        ({"app": "."}, "setting app=. is a folder; give the path of a program, or a FILE.py"),
        (
            {"app": "nat.v2.py"},
            "nat.v2.py: Python imports no file with a dot in its name; rename it, as in nat_v2.py",
        ),
        ({"app": ["a/nat.py", "b/nat.py"]}, "b/nat.py have one name, and one process has one module of a name"),
    ],
)
def test_what_cannot_be_started_is_refused_with_the_way_out(
    folder: Path, given: dict[str, object], words: str
) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigurationError) as refused:
        options.check(AppOptions.model_validate(given))

    assert words in str(refused.value)


def test_an_application_may_derive_from_a_module_beside_it(folder: Path) -> None:
    """Which has the framework. What is wrong in that module is found as well."""
    (folder / "nat.py").write_text("from base import Base\nimport nat\n")
    (folder / "base.py").write_text(f"{RYU}import nat\n")
    options.check(AppOptions(app=("nat.py",)))

    (folder / "base.py").write_text(f'{RYU}print "ready"\n')
    with pytest.raises(ConfigurationError, match=r"base\.py, line 2: .* this is Python 2"):
        options.check(AppOptions(app=("nat.py",)))


def test_a_folder_is_refused_as_one(folder: Path) -> None:
    """Also one whose name is that of a file."""
    (folder / "nat.py").mkdir()

    with pytest.raises(ConfigurationError, match=r"nat\.py is a folder; give the path of a file"):
        options.check(AppOptions(app=("nat.py",)))


def test_an_application_has_its_framework_and_is_seen_with_its_folder(folder: Path) -> None:
    """Several files are applications of one process."""
    (folder / "nat.py").write_text(RYU)
    (folder / "l2.py").write_text("import ryu.lib.packet\n")
    app = AppOptions.model_validate({"app": ["nat.py", "l2.py"]}).app

    options.check(AppOptions(app=app))
    assert options.framework(options.applications(app)) == "ryu"
    assert options.programs(list(app)) == [str(folder / "nat.py"), str(folder / "l2.py")]


def test_a_command_is_seen_with_the_files_that_it_names(folder: Path) -> None:
    """They are named by their whole paths, since the command has a folder of its own. A script is a file too."""
    (folder / "nat.py").write_text("")
    told = f"{sys.executable} nat.py --listen {{listen_port}}"

    assert options.command([told])[1:] == [str(folder / "nat.py"), "--listen", "{listen_port}"]
    assert {sys.executable, str(Path(sys.executable).resolve()), str(folder / "nat.py")} <= {
        *options.programs(told)
    }
    options.check(AppOptions(app=(told,)))


def test_a_tilde_is_the_home_of_the_calling_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell leaves it alone after app=. Under sudo the home is not root's."""
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("HOME", str(folder))
    (folder / "my nat.py").write_text(RYU)
    (folder / "nat.ini").touch()

    assert options.applications(["~/my nat.py"]) == [folder / "my nat.py"]
    assert options.command(["sleep ~/nat.ini ~/none"])[1:] == [str(folder / "nat.ini"), "~/none"]
    assert AppGateway.files({"app_config": "~/nat.ini"}) == [str(folder / "nat.ini")]

    monkeypatch.setenv("SUDO_USER", pwd.getpwuid(os.getuid()).pw_name)
    assert options.whole("~/nat.py") == Path(pwd.getpwuid(os.getuid()).pw_dir, "nat.py")


def test_another_kind_of_value_names_no_file() -> None:
    """It is refused later, as a value."""
    assert options.programs(None) == options.programs(7) == []
