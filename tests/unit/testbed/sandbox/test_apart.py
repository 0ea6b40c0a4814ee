"""What code of a stranger's can do while it is imported: nothing to the machine, and within limits."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.strangers import programs
from testbed.sandbox import apart as module
from testbed.sandbox import walls
from testbed.sandbox.apart import ApartError, RaisedError, apart, is_apart
from testbed.sandbox.slowness import patient
from testbed.sandbox.walls import NOBODYS, USERS
from tests.support.paths import ROOT
from tests.support.processes import awaited, processes
from tests.support.walled import needs_walls

pytestmark = needs_walls


def done(work: Callable[[], Any], *files: Path) -> Any:
    """Return what comes of some work behind walls."""
    return apart(work, raises=(ConfigurationError,), shown=programs(), files=files)


def refused(work: Callable[[], Any]) -> str:
    """Return why some work did not come to its end."""
    with pytest.raises(ApartError) as error:
        done(work)
    return str(error.value)


def failure(attempt: Callable[[], Any]) -> str:
    """Return the name of the error that an attempt ends with, or `done`."""
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"


def test_work_comes_back_as_data_and_leaves_nothing_in_this_process() -> None:
    """It was done by a child, which knows that it is one."""

    def work() -> list[Any]:
        sys.modules["never_here"] = sys
        return [is_apart(), {"a": (1, None)}]

    assert done(work) == [True, {"a": [1, None]}]
    assert "never_here" not in sys.modules
    assert not is_apart()


def test_an_expected_error_comes_back_with_its_words() -> None:
    """Others do as well, as a failure of the code."""

    def expected() -> None:
        raise ConfigurationError("take less")

    with pytest.raises(RaisedError, match=r"^take less$") as error:
        done(expected)
    assert error.value.kind == "ConfigurationError"
    assert refused(lambda: {}["key"]) == "raised KeyError: 'key'"


@pytest.mark.parametrize("folder", ["/etc", "/root", "/home", "/var", "/usr", "/", str(ROOT), "/proc/sys/kernel"])
def test_no_file_of_the_machine_can_be_written(folder: str) -> None:
    """Not even by root, who runs the tests."""
    path = Path(folder, "lastport-was-here")

    assert done(lambda: failure(path.touch)) in ("OSError", "PermissionError", "FileNotFoundError")
    assert not os.path.lexists(path)


def test_nor_one_that_everybody_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is."""
    monkeypatch.setattr(walls, "COVERED", ())
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        path = Path(file.name)
        path.chmod(0o666)

        assert done(lambda: [failure(lambda: path.write_text("x")), failure(path.unlink)]) == ["OSError"] * 2
        assert path.read_text() == ""


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm"])
def test_a_temporary_file_is_gone_with_the_child(folder: str) -> None:
    """It was in memory, and not on the machine."""
    path = Path(folder, "lastport-was-here")

    assert done(lambda: failure(path.touch)) == "done"
    assert not os.path.lexists(path)


def test_there_is_no_network_not_even_the_machine_s_loopback() -> None:
    """A service on 127.0.0.1 is not reached, nor is any other address."""
    with (
        socket.create_server(("127.0.0.1", 0)) as service,
        socket.create_server("", family=socket.AF_UNIX) as abstract,
    ):
        address, name = service.getsockname(), abstract.getsockname()

        def connect(family: int, to: Any) -> Any:
            with socket.socket(family, socket.SOCK_STREAM) as client:
                client.settimeout(5)
                return client.connect(to)

        outcomes = done(
            lambda: [
                failure(lambda: connect(socket.AF_INET, address)),
                failure(lambda: connect(socket.AF_INET, ("192.0.2.1", 80))),
                failure(lambda: connect(socket.AF_UNIX, name)),
            ]
        )

    assert outcomes == ["OSError", "OSError", "ConnectionRefusedError"]


def test_no_other_process_can_be_seen_signalled_or_traced() -> None:
    """The child is the first of its own namespace, whose parent is nobody."""

    def work() -> list[Any]:
        libc = ctypes.CDLL(None, use_errno=True)
        traced = [libc.ptrace(16, pid, 0, 0) for pid in (1, os.getppid())]  # PTRACE_ATTACH
        os.kill(os.getppid(), 0)  # its own group: the parent has no number here
        return [os.getpid(), os.getppid(), [name for name in os.listdir("/proc") if name.isdigit()], traced]

    assert done(work) == [1, 0, ["1"], [-1, -1]]


def test_there_is_no_right_left_and_none_to_be_gained() -> None:
    """Neither by a new user namespace, in which mounts stay as they are."""

    def work() -> list[Any]:
        facts = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())
        libc = ctypes.CDLL(None, use_errno=True)
        mount = [libc.mount(b"none", b"/", None, 32 | 4096, None)]  # MS_REMOUNT | MS_BIND: writable
        if libc.unshare(0x10020000) == 0:  # CLONE_NEWUSER | CLONE_NEWNS
            mount.append(libc.mount(b"none", b"/", None, 32 | 4096, None))
            mount.append(libc.umount2(b"/root", 2))
        return [facts["CapEff"], facts["CapBnd"], facts["NoNewPrivs"], set(mount) == {-1}]

    effective, bounding, no_new, held = done(work)
    assert (int(effective, 16), int(bounding, 16), no_new, held) == (0, 0, "1", True)


def test_what_is_private_is_not_there(tmp_path: Path) -> None:
    """Of a private folder with a stranger's file the file alone is, and of an open one all of it."""
    key, mine = tmp_path / "id_rsa", tmp_path / "mine.py"
    key.write_text("secret")
    mine.write_text("text")

    def seen() -> list[Any]:
        return [
            sorted(os.listdir(tmp_path)),
            mine.read_text(),
            os.listdir("/home"),
            failure(Path("/etc/shadow").open),
        ]

    tmp_path.chmod(0o700)
    alone = done(seen, mine)
    tmp_path.chmod(0o755)
    beside = done(seen, mine)

    if os.geteuid() == 0:
        assert alone == [["mine.py"], "text", [], "PermissionError"]
    assert beside == [["id_rsa", "mine.py"], "text", [], "PermissionError"]


def test_a_file_that_is_too_large_to_be_copied_is_refused_and_not_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an open folder, where nothing is copied, it may be as large as it likes."""
    monkeypatch.setattr(walls, "MOST_BYTES", 1 << 20)
    mine = tmp_path / "nat"
    mine.write_bytes(bytes((1 << 20) + 1))
    tmp_path.chmod(0o755)
    assert done(lambda: len(mine.read_bytes()), mine) == (1 << 20) + 1

    mine.chmod(0o600)
    if os.geteuid() == 0:
        with pytest.raises(walls.WallsError, match=r"nat has more than 1 MiB, which is too large for the copy"):
            done(mine.read_bytes, mine)


def test_a_file_that_is_for_its_owner_alone_can_be_read_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an open folder as well, of which all else stays as it is."""
    monkeypatch.setattr(walls, "COVERED", ())
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        mine, other = Path(folder, "mine.py"), Path(folder, "other.py")
        for file in (mine, other):
            file.write_text(file.name)
        Path(folder).chmod(0o755)
        mine.chmod(0o600)

        assert done(lambda: [mine.read_text(), other.read_text()], mine) == ["mine.py", "other.py"]


def test_nothing_that_is_open_here_is_open_there(tmp_path: Path) -> None:
    """An open folder would be a way around the walls."""
    with (tmp_path / "open").open("w"):
        assert done(lambda: sorted(map(int, os.listdir("/proc/self/fd")))[:3]) == [0, 1, 2]
        assert done(lambda: len(os.listdir("/proc/self/fd"))) == 5  # what is answered to, and the listing's own


def nobodys() -> set[int]:
    """Return the forks of tests among the processes of the users behind walls, whichever test they are of."""
    found, ours = set(), Path("/proc/self/cmdline").read_bytes()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_nobodys = folder.stat().st_uid in range(NOBODYS, NOBODYS + USERS)
            if is_nobodys and (folder / "cmdline").read_bytes() == ours:
                found.add(int(folder.name))
    return found


def fork_for_ever() -> None:
    """Fork, in every child as well."""
    while True:
        os.fork()


def allocate_without_bound() -> None:
    """Take memory."""
    taken = []
    while True:
        taken.append(mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def print_without_end() -> None:
    """Print."""
    while True:
        print("a line without a meaning " * 100)


def write_without_end() -> None:
    """Fill a file."""
    with open("/tmp/full", "wb") as file:
        while True:
            file.write(bytes(1 << 20))
            file.flush()


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (fork_for_ever, "raised BlockingIOError: [Errno 11]"),
        (allocate_without_bound, "raised OSError: [Errno 12]"),
        (print_without_end, "printed or declared more than 1 MiB"),
        (write_without_end, "raised OSError: [Errno 27]"),
        (lambda: sys.exit("bye"), "raised SystemExit: bye"),
        (lambda: os._exit(3), "ended the program that imports it with status 3"),
        (lambda: ctypes.string_at(0), "ended the program that imports it by SIGSEGV"),
        (lambda: "x" * (17 << 20), "printed or declared more than 16 MiB"),
        (object, "raised TypeError: Object of type object is not JSON serializable"),
    ],
    ids=["forks", "memory", "prints", "files", "sys.exit", "os._exit", "crash", "answer", "no JSON"],
)
def test_code_that_knows_no_end_is_ended_with_the_reason(work: Callable[[], Any], words: str) -> None:
    """And nothing of it is left."""
    assert refused(work).startswith(words)
    left = nobodys()
    awaited(lambda: not left & nobodys(), "its processes to end")


def test_code_that_sleeps_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever signals it ignores, and whatever it has asked the kernel for."""
    monkeypatch.setattr(module, "WITHIN_S", 0.5)

    def work() -> None:
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG: it no longer ends with its parent
        while True:
            time.sleep(60)

    assert refused(work) == f"took longer than {patient(0.5):g} s"
    left = nobodys()
    awaited(lambda: not left & nobodys(), "its processes to end")


def test_what_is_printed_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output is for what a command prints, such as one JSON object."""

    def work() -> int:
        print("a word")
        subprocess.run(["echo", "another"], check=True)
        return 1

    assert done(work) == 1
    printed = capfd.readouterr()
    assert (printed.out, sorted(printed.err.splitlines())) == ("", ["a word", "another"])


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process whose child, behind walls, sleeps."""
    mine = tmp_path / "mine.py"
    mine.write_text("import time\ntime.sleep(600)\n")
    command = ["env", "--default-signal=INT", sys.executable, "-P", "-m", "testbed.command", "show", "mine.py"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_command_is_ended(waiting: subprocess.Popen[bytes], number: int) -> None:
    """By Ctrl-C, or by a death that nothing can be done against."""

    def family() -> set[int]:
        table = processes()
        guards = {pid for pid, (parent, _) in table.items() if parent == waiting.pid}
        return guards | {pid for pid, (parent, _) in table.items() if parent in guards}

    started = awaited(lambda: found if len(found := family()) == 2 else None, "the child")
    waiting.send_signal(number)
    waiting.wait(30)

    awaited(lambda: not started & set(processes()), "its processes to end")


MINE = """
from testbed.api import Scenario
import os, sys, signal
{hostile}
class Mine(Scenario):
    '''A question?'''
    def run(self, x):
        x.account()
"""


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        ("open('/etc/lastport-was-here', 'w')", "OSError: [Errno 30] Read-only file system"),
        ("os.kill(os.getppid(), signal.SIGKILL); os._exit(0)", "could not be read: it ended the program"),
        ("import socket; socket.create_connection(('192.0.2.1', 80))", "OSError: [Errno 101] Network is unreach"),
        ("taken = bytearray(1 << 40)", "it needs more memory than a file of one's own may have"),
        ("sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_a_hostile_scenario_is_refused_with_its_file_s_name(tmp_path: Path, hostile: str, words: str) -> None:
    """It is the author's fault, which has status 2."""
    mine = tmp_path / "mine.py"
    mine.write_text(MINE.format(hostile=hostile))

    with pytest.raises(ConfigurationError) as error:
        resolve(str(mine), "openflow", Choices(), datapath="userspace")

    assert str(mine) in str(error.value)
    assert words in str(error.value)
