"""Completion: what a Tab offers, what it does not import, and that real shells take it."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.settings import profiles
from testbed.command.cli import main
from testbed.command.completion import SCRIPTS, SHELLS
from testbed.command.names import NAMES
from tests.support.paths import ROOT
from tests.support.processes import DEADLINE_S
from tests.unit.testbed.command.conftest import Lastport

Started = Callable[..., "subprocess.CompletedProcess[str]"]
Tab = Callable[[str], list[str]]


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Tab:
    """Return the words that complete a line, in a folder with a file and a folder."""
    (tmp_path / "mine.py").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "question\n.py").touch()
    (tmp_path / os.fsdecode(b"m-\xff.py")).touch()
    (tmp_path / "new\nline").mkdir()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "nat.yaml").touch()
    (tmp_path / "lab" / "nat.py").touch()
    monkeypatch.chdir(tmp_path)

    def press(line: str) -> list[str]:
        monkeypatch.setenv("_LASTPORT_COMPLETE", f"lastport {line}")
        main()
        finished = capsys.readouterr()
        assert finished.err == ""
        return [printed.partition("\t")[0] for printed in finished.out.splitlines()]

    return press


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sh", ["shell", "show"]),
        ("co", ["compare", "completion"]),
        ("run --gat", ["--gateway"]),
        ("run port-", ["port-exhaustion", "port-overlap"]),
        ("run m", ["mine.py"]),
        ("run lab/", ["lab/nat.py"]),
        ("run churn -t h", ["home"]),
        (
            "run churn --gateway ",
            ["openflow", "ovs-ct", "netfilter", "app", "program", "slirp", "passt", "box", "mine.py"],
        ),
        ("run churn --gateway=n", ["--gateway=netfilter"]),
        ("run hole-punching -g gateway-b=n", ["gateway-b=netfilter"]),
        ("run hole-punching --gateway=gateway-b=n", ["--gateway=gateway-b=netfilter"]),
        ("run hole-punching -g gateway-b=m", ["gateway-b=mine.py"]),
        ("run hole-punching -s gat", ["gateway-a.", "gateway-b."]),
        ("run port-exhaustion -t carrier -s home", ["home-a.", "home-b."]),
        ("run churn -s gat", []),
        ("run hole-punching -s gateway-b.mapping", ["gateway-b.mapping_type="]),
        (
            "run hole-punching -s gateway-b.mapping_type=e",
            ["gateway-b.mapping_type=eim", "gateway-b.mapping_type=edm"],
        ),
        ("run hole-punching -s gateway-b.pati", []),
        ("run hole-punching -g gateway-b=netfilter -s gateway-b.ful", ["gateway-b.fully_random="]),
        ("run hole-punching -g gateway-b=netfilter -s gateway-a.ful", []),
        ("run hole-punching -g netfilter -s gateway-a.ful", ["gateway-a.fully_random="]),
        ("run hole-punching -s gateway-b.on_exhaustion=m", ["gateway-b.on_exhaustion=mine.py"]),
        ("run churn --allocator b", ["blocks"]),
        ("run churn -p ", [*profiles.NAMES]),
        ("run churn --config lab/", ["lab/nat.yaml"]),
        ("run churn --out ", ["lab/"]),
        ("run churn -s mapping", ["mapping_type="]),
        ("run churn -s holdi", ["holding="]),
        ("run fairness -s holdi", []),
        ("run churn --set=holdi", ["--set=holding="]),
        ("run churn --set mapping_type=e", ["mapping_type=eim", "mapping_type=edm"]),
        ("run churn --set refresh_inbound=", ["refresh_inbound=true", "refresh_inbound=false"]),
        ("run churn --set port_quota=", ["port_quota=null"]),
        ("plan --set subscribers", ["subscribers="]),
        ("plan --set log=", ["log=off", "log=mappings", "log=blocks"]),
        ("run fairness --set protocol=", ["protocol=tcp", "protocol=udp"]),
        ("run churn --set on_exhaustion=h", ["on_exhaustion=hold"]),
        ("run churn --set on_exhaustion=m", ["on_exhaustion=mine.py"]),
        ("run churn --set ports=", []),
        ("run churn -g netfilter -s fully", ["fully_random="]),
        ("run churn -s fully", []),
        ("run nonsense -s mapping", ["mapping_type="]),
        ("run q", []),
        ("nosuch ", []),
        ("nosuch --", []),
        ("compare churn --gateways openflow,n", ["openflow,netfilter"]),
        ("compare churn -g openflow,ovs-ct,o", []),
        ("compare --all -s holdi", []),
        ("bench me", ["memory"]),
        ("bench memory -s po", ["ports="]),
        ("list s", ["scenarios", "settings"]),
        ("show hold_down_m", ["hold_down_max"]),
        ("show cg", ["cgn"]),
        ("new po", ["policy"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("test ", []),
        ("run 'por", ["port-exhaustion", "port-overlap"]),
        ("run churn --seed ", []),
    ],
)
def test_a_line_is_completed(tab: Tab, line: str, words: list[str]) -> None:
    """Names, options, files, keys and values; nothing where nothing is known."""
    assert tab(line) == words


def test_after_the_last_argument_come_the_options(tab: Tab) -> None:
    """Without a dash as well."""
    assert {"--gateway", "--set", "--json"} <= set(tab("run churn "))


def test_everything_that_can_be_shown_is_completed(tab: Tab) -> None:
    """All names of all lists."""
    assert {name for names in NAMES.values() for name in names()} <= set(tab("show "))


def test_a_command_and_a_key_come_with_their_meaning(started: Started) -> None:
    """For the shells that show it, in whole sentences."""
    command = started("lastport", _LASTPORT_COMPLETE="lastport comp").stdout.splitlines()[0]
    key = started("lastport", _LASTPORT_COMPLETE="lastport run churn -s udp").stdout

    assert command.endswith(
        "\tRun a scenario, or all, on several gateways or profiles in turn, and show where they differ."
    )
    assert key == "udp_timeout=\tidle time after which a UDP mapping ends\n"


@pytest.mark.parametrize(
    "line", ["lastport ", "lastport run p", "lastport run churn -g o", "lastport run churn --s"]
)
def test_names_are_completed_without_the_settings_and_without_mininet(started: Started, line: str) -> None:
    """A person waits for a Tab."""
    finished = started("lastport", _LASTPORT_COMPLETE=line, PYTHONPROFILEIMPORTTIME="1")

    assert finished.stdout
    heavy = ("controller.settings", "rich.console", "mininet", "jinja2", "topologies")
    assert [module for module in heavy if f" {module}\n" in finished.stderr] == []


def test_an_unknown_shell_is_refused(started: Started) -> None:
    """The nearest is named."""
    finished = started("lastport", "completion", "fisch")

    assert (finished.returncode, finished.stdout) == (2, "")
    assert "did you mean 'fish'?" in finished.stderr


def test_the_script_for_a_shell_is_printed(lastport: Lastport) -> None:
    """The three that there are, as the tests below take them."""
    for shell in SHELLS:
        assert lastport("completion", shell).out == (SCRIPTS / f"lastport.{shell}").read_text()


BASH = """
. {script}
complete -p lastport >/dev/null || exit 9
COMP_LINE={line} COMP_POINT=${{#COMP_LINE}}
_lastport_completion {command} "${{COMP_LINE##*[$COMP_WORDBREAKS]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lastport run port-", ["port-exhaustion", "port-overlap"]),
        ("bin/lastport list sc", ["scenarios"]),
        ("~/bin/lastport bench mem", ["memory"]),
        # Readline has put `=` between two words, so only what comes after it may be returned.
        ("lastport run fairness --set protocol=", ["tcp", "udp"]),
        ("lastport run churn --gateway=net", ["netfilter"]),
        ("lastport run churn --set=holdi", ["holding="]),
        ("lastport compare churn -g openflow,net", ["openflow,netfilter"]),
        ("lastport run nons", []),
    ],
)
def test_bash_completes(started: Started, tmp_path: Path, line: str, words: list[str]) -> None:
    """By the script that it is given, for a program in the PATH, by a path, and below the home folder."""
    command = line.split()[0].replace("bin/", f"{tmp_path}/bin/") if line.startswith("bin/") else line.split()[0]
    script = BASH.format(script=SCRIPTS / "lastport.bash", line=shlex.quote(line), command=shlex.quote(command))

    finished = started("bash", "--norc", "-c", script)

    assert finished.stderr == ""
    assert finished.stdout.split() == words


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lastport run port-", ["port-exhaustion", "port-overlap"]),
        ("lastport run fairness --set protocol=", ["protocol=tcp", "protocol=udp"]),
        ("~/bin/lastport bench mem", ["memory"]),
    ],
)
def test_fish_completes(started: Started, line: str, words: list[str]) -> None:
    """By the script that it is given."""
    finished = started(
        "fish", "--no-config", "-c", f"source {SCRIPTS}/lastport.fish; complete -C {shlex.quote(line)}"
    )

    assert [printed.partition("\t")[0] for printed in finished.stdout.splitlines()] == words


INTERACTIVE = {
    "bash": ("bash", "--norc"),
    "zsh": ("zsh", "-f"),
    "fish": ("fish", "--no-config"),
}
FIRST = {"zsh": "autoload -Uz compinit; compinit -u -D; "}


def needing(shell: str, *rest: str) -> Any:
    """Return the parameters of a test that is skipped where there is no such shell."""
    lacks = pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")
    return pytest.param(shell, *rest, marks=lacks)


@pytest.mark.parametrize(
    ("shell", "line", "completed"),
    [
        needing("zsh", "lastport run port-ex", "<port-exhaustion>"),
        needing("zsh", "lastport run fairness --set protocol=u", "<protocol=udp>"),
        needing("zsh", "~/bin/lastport bench mem", "<memory>"),
        needing("bash", "lastport run fairness --set protocol=u", "<protocol=udp>"),
        needing("bash", "lastport run churn --out=sp\\ ace\\ é/s", "<--out=sp ace é/sub/>"),
        needing("bash", 'lastport run churn --out "sp', "<sp ace é/>"),
        *(
            needing(shell, *case)
            for shell in INTERACTIVE
            for case in (
                ("lastport run hole-punching -s gateway-a\tmapping", "<gateway-a.mapping_type=>"),
                ("lastport run churn --out sp", "<sp ace é/>"),
                ("lastport run churn --out sp\\ ace\\ é/s", "<sp ace é/sub/>"),
                ("lastport run churn --out ~/sp", "<HOME/sp ace é/>"),
                ("lastport run do", "<do$llar.py>"),
            )
        ),
    ],
)
def test_a_shell_on_a_terminal_completes(
    program: Path, tmp_path: Path, shell: str, line: str, completed: str
) -> None:
    """It quotes the name of a file where it has to, so that the program gets one word."""
    completed = completed.replace("HOME", str(tmp_path))
    (tmp_path / "sp ace é" / "sub").mkdir(parents=True)
    (tmp_path / "do$llar.py").touch()
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
        }
        os.chdir(tmp_path)
        os.execvp(INTERACTIVE[shell][0], INTERACTIVE[shell])
    try:
        os.write(terminal, f'{FIRST.get(shell, "")}source {SCRIPTS}/lastport.{shell}; echo rea""dy\n'.encode())
        assert "ready" in read_until("ready", terminal)
        to_the_start_of_the_line = "\x01"
        os.write(terminal, f"{line}\t{to_the_start_of_the_line}printf '<%s>' \n".encode())
        assert completed in read_until(completed, terminal)
    finally:
        os.kill(process, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(process, 0)


def read_until(wanted: str, terminal: int) -> str:
    """Return what a terminal shows, until it has shown something, or nothing more for a long time."""
    shown = b""
    while wanted.encode() not in shown and select.select([terminal], [], [], DEADLINE_S)[0]:
        shown += os.read(terminal, 4096)
    return shown.decode(errors="replace")
