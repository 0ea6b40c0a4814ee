"""A stranger's NAT that is none: a sentence within seconds, with its own last words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.emulation.conftest import FILES, SMALL, Run
from topologies.gateways.strangers import MOST_LOG

deep = pytest.mark.deep
HONEST, DYING = FILES / "apps" / "whole_nat.py", FILES / "apps" / "dying.py"
APP = """
from ryu.base import app_manager
import os, time

class Nat(app_manager.RyuApp):
    {head}
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        {body}
"""
FULL = f"; it had printed all of the {MOST_LOG >> 20} MiB that app.log may have"


def app(body: str = "pass", head: str = "pass") -> str:
    """Return an app with a statement in its constructor, and one in its class."""
    return APP.format(body=body, head=head)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        pytest.param(
            "import ryu\n",
            "the app nat.py ended with status 1",
            "nat: there is no application, which is a class that derives from RyuApp",
            id="no class",
        ),
        pytest.param(
            f"import numpi\n{app()}",
            "the app nat.py ended with status 1",
            "ModuleNotFoundError: No module named 'numpi'",
            id="import",
            marks=deep,
        ),
        pytest.param(
            app("1 / 0"),
            "the app nat.py ended with status 1",
            "ZeroDivisionError: division by zero",
            id="constructor",
            marks=deep,
        ),
        pytest.param(
            app(head="OFP_VERSIONS = [6]"),
            "the app nat.py ended with status 1",
            "nat: OFP_VERSIONS of Nat has none of the switch's, OpenFlow 1.0 and OpenFlow 1.3",
            id="version",
            marks=deep,
        ),
        pytest.param(
            app("os.fork() and os._exit(0)"),
            "the app nat.py ended with status 0",
            "instantiating app nat of Nat",
            id="background",
            marks=deep,
        ),
        pytest.param(
            app("print('waiting for my database'); time.sleep(600)"),
            "the app nat.py does not listen at 127.0.0.1:6653, where the switch looks for it, "
            "30 s after its start",
            "waiting for my database",
            id="hanging",
            marks=deep,
        ),
        pytest.param(
            app("print('x' * (1 << 30))"),
            f"the app nat.py ended with status 1{FULL}",
            "xxxx",
            id="a gigabyte",
            marks=deep,
        ),
        pytest.param(
            app("self.all = [bytearray(64 << 20) for _ in range(1 << 20)]"),
            "the app nat.py ended with status 1",
            "MemoryError",
            id="memory",
            marks=deep,
        ),
    ],
)
def test_an_app_that_is_none_is_an_error_with_its_last_words(
    run: Run, tmp_path: Path, text: str, error: str, words: str
) -> None:
    """And its log is kept."""
    (tmp_path / "nat.py").write_text(text)
    own = ("--set", f"app={tmp_path / 'nat.py'}", "--out", str(tmp_path / "out"))
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert finished.result["error"] == error
    assert words in finished.result["last_words"]
    assert 0 < (tmp_path / "out" / "app.log").stat().st_size <= MOST_LOG


@deep
def test_of_several_files_the_one_without_an_app_is_named(run: Run, tmp_path: Path) -> None:
    """A module beside an app is imported without being listed."""
    tmp_path.chmod(0o755)
    (tmp_path / "nat.py").write_text(app())
    (tmp_path / "none.py").write_text("import ryu\n")
    both = f"app=[{tmp_path / 'nat.py'},{tmp_path / 'none.py'}]"
    finished = run("run", "port-exhaustion", "--gateway", "app", "--set", both, *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert "none: there is no application, which is a class" in finished.result["last_words"]


@deep
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sleep 600", "does not listen at 127.0.0.1:6653, where the switch looks for it, 30 s after its start"),
        ("python3 -m http.server {listen_port}", "did not accept the switch in 20 s: they share no version of"),
        ("python3 -c exit(7)", "ended with status 7"),
    ],
    ids=["never listens", "another service", "ends"],
)
def test_a_command_that_is_no_controller_is_an_error(run: Run, command: str, words: str) -> None:
    """Which says what the switch has waited for."""
    finished = run("run", "port-exhaustion", "--gateway", "app", "--set", f"app={command}", *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert words in finished.result["error"]


@deep
def test_an_app_that_ends_its_process_in_a_handler_is_an_error_at_once(run: Run) -> None:
    """Whatever the scenario waits for then."""
    own = ("--set", f"app={DYING}", "--set", "patience=60")
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert finished.result["error"] == "the app dying.py ended with status 3"
    assert finished.result["last_words"].endswith("I am gone")
    assert finished.result["duration_s"] < 60


@deep
@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("exit 0", 0, ""),
        ("sleep 600 &", 0, ""),
        ("exec python3 -c 'print(\"x\" * (1 << 30), flush=True)'", 1, FULL),
        ("exec /usr/bin/no-such-nat", 127, ""),
    ],
    ids=["ends", "background", "a gigabyte", "not there"],
)
def test_a_program_that_is_none_is_an_error(run: Run, tmp_path: Path, text: str, status: int, words: str) -> None:
    """A NAT is the process that was started: a child that goes on is not it."""
    nat = tmp_path / "nat"
    nat.write_text(f"#!/bin/sh\n{text}\n")
    nat.chmod(0o755)
    finished = run("run", "port-exhaustion", "--gateway", "program", "--set", f"program={nat}", *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert finished.result["error"] == f"the program {nat} ended with status {status}{words}"


@deep
def test_two_runs_at_once_have_an_app_of_their_own_each(run: Run) -> None:
    """The same file, and the same port in either sandbox."""

    def once(_: int) -> int:
        return run("run", "port-exhaustion", "--gateway", "app", "--set", f"app={HONEST}", *SMALL, "--json").status

    with ThreadPoolExecutor() as pool:
        assert [*pool.map(once, range(2))] == [0, 0]


@deep
def test_a_port_beside_the_range_is_red(run: Run, tmp_path: Path) -> None:
    """The wire shows it: an app may believe in another range than it was given."""
    (tmp_path / "nat.py").write_text(HONEST.read_text().replace("range(FIRST_PORT, ", "range(FIRST_PORT - 1, "))
    own = ("--set", f"app={tmp_path / 'nat.py'}")
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "external endpoints that do not belong to the pool" in finished.failed
