"""What `./lastport` answers without an environment, and how it starts Python with one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from testbed.command.cli import app
from tests.unit.vagrant.conftest import Checkout, Make

ANSWERED: dict[str, tuple[int, str]] = {
    "--version": (0, "lastport 0.1.0\n"),
    "-V": (0, "lastport 0.1.0\n"),
    "-h": (0, "Usage: lastport [OPTIONS] COMMAND"),
    "--help": (0, "Usage: lastport [OPTIONS] COMMAND"),
    "run --help": (0, "Usage: lastport run"),
    "run port-exhaustion -h": (0, "Usage: lastport run"),
    "uninstall --help": (0, "Usage: lastport uninstall"),
}


@pytest.mark.parametrize("line", ANSWERED)
def test_version_and_help_need_no_environment(checkout: Checkout, line: str) -> None:
    """They come at once, and nothing is made."""
    status, text = ANSWERED[line]
    done = checkout.lastport(*line.split())

    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.startswith(text)
    assert not checkout.store.exists()


@pytest.mark.parametrize("line", ["", "rum", "--colour", "rum --help", "lastport run"])
def test_what_is_wrong_is_refused_without_an_environment_as_with_one(checkout: Checkout, line: str) -> None:
    """The same words on standard error, and the same status."""
    done = checkout.lastport(*line.split())
    told = CliRunner(env={"COLUMNS": "80"}).invoke(app, line.split()[:1], prog_name="lastport")

    assert (done.returncode, done.stdout) == (told.exit_code, "")
    assert done.stderr.split("Did you mean")[0].split() == told.stderr.split("Did you mean")[0].split()
    assert not checkout.store.exists()


def test_on_another_system_help_is_given_and_all_else_refused(checkout: Checkout) -> None:
    """What this machine has is no answer for a lab that needs Linux."""
    checkout.program("uname", "#!/bin/sh\necho Darwin\n")

    assert checkout.lastport("run", "--help").returncode == 0
    for command in ("doctor", "list", "run"):
        done = checkout.lastport(command)
        assert (done.returncode, done.stdout) == (3, "")
        assert "vagrant up" in done.stderr


@pytest.mark.parametrize(("command", "status"), [("exec", 125), ("run", 3)])
def test_a_program_s_status_is_no_word_for_what_the_launcher_could_not_do(
    make_checkout: Make, command: str, status: int
) -> None:
    """Without Linux, in a folder that Python cannot use, and where nothing can be installed."""
    bare, colon = make_checkout("bare"), make_checkout("with:colon")
    (bare.folder / "vagrant" / "provision.sh").write_text("echo no network >&2\nexit 3\n")
    unable = [bare.lastport(command, "--", "true"), colon.lastport(command, "--", "true")]
    bare.program("uname", "#!/bin/sh\necho Darwin\n")
    unable.append(bare.lastport(command, "--", "true"))

    for done, sentence in zip(unable, ("no network", "folder with a colon", "not Linux"), strict=True):
        assert (done.returncode, done.stdout) == (status, "")
        assert sentence in done.stderr


def test_help_fits_a_narrow_terminal(checkout: Checkout) -> None:
    """As with an environment."""
    checkout.environment["COLUMNS"] = "40"
    done = checkout.lastport("run", "--help")

    assert [line for line in done.stdout.splitlines() if len(line) > 40] == []


def test_a_completion_installs_nothing(checkout: Checkout) -> None:
    """A Tab without an environment completes nothing, silently."""
    checkout.environment["_LASTPORT_COMPLETE"] = "complete_bash"
    done = checkout.lastport()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not checkout.store.exists()


def test_doctor_says_without_an_environment_what_a_first_run_would_install(checkout: Checkout) -> None:
    """How much, and who may; as JSON in the shape that it has with one."""
    told = checkout.lastport("doctor")
    done = checkout.lastport("doctor", "--json")
    result = json.loads(done.stdout)

    assert (told.returncode, done.returncode) == (3, 3)
    assert "Python packages" in told.stdout
    assert " MB to download, " in told.stdout
    assert result["able"] is False
    assert {frozenset(finding) for finding in result["findings"]} == {
        frozenset(["name", "found", "ok", "required", "advice"])
    }
    assert [finding["ok"] for finding in result["findings"] if finding["name"] == "environment"] == [False]
    assert not checkout.store.exists()


def test_doctor_has_the_columns_that_it_has_with_an_environment(checkout: Checkout) -> None:
    """The name first, then the verdict."""
    lines = checkout.lastport("doctor").stdout.splitlines()

    assert lines[0].split()[:2] == ["system", "ok"]
    assert ["environment", "lacks"] in [line.split()[:2] for line in lines]


@pytest.mark.parametrize(
    ("command", "hint"),
    [("list", "run port-exhaustion"), ("doctor", "run port-exhaustion"), ("test", "test")],
)
def test_a_user_gets_one_hint_as_the_launcher_was_called(checkout: Checkout, command: str, hint: str) -> None:
    """Whatever was asked for. A user who lacks packages is one that only root can help."""
    as_nobody = ["/usr/bin/unshare", "--user"]
    if subprocess.run([*as_nobody, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no user namespaces")
    with (checkout.folder / "vagrant" / "programs.txt").open("a") as file:
        file.write("no-such-program  no-such-package  lab\n")
    done = checkout.run(*as_nobody, "./lastport", command)

    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3
    assert f"once for everybody: sudo ./lastport {hint}, or ask whoever administers this machine." in told


def test_python_is_started_with_the_checkout_on_its_path(checkout: Checkout) -> None:
    """Also where the path has a space. Nothing of the current folder is imported by accident."""
    checkout.make()
    done = checkout.lastport("run", "--help")

    assert done.stdout.splitlines()[0] == f"PYTHONPATH={checkout.folder}"
    assert done.stdout.splitlines()[2:] == ["-P", "-m", "testbed.command", "run", "--help"]


def test_ctrl_c_waits_until_python_has_started(checkout: Checkout) -> None:
    """Python's own start would end by a traceback. The command line lets it through as soon as it can."""
    python = checkout.make() / "bin" / "python"
    program = "import signal; print(*signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    python.write_text(f"#!{sys.executable}\n{program}\n")

    assert checkout.lastport("list").stdout == f"{signal.SIGINT}\n"


def test_a_path_with_a_colon_is_refused_with_the_way_out(make_checkout: Make) -> None:
    """Python's path is a list of folders with colons between them."""
    checkout = make_checkout("a:b")
    for make in (False, True):
        if make:
            checkout.make()
        done = checkout.lastport("list")

        assert (done.returncode, done.stdout) == (3, "")
        assert "Rename it: " in done.stderr
        assert checkout.store.exists() == make
