"""`lastport exec`: programs as they are, behind a NAT, and nothing of them left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lastport_pytest import LabError, nat
from testbed.sandbox import crowd
from testbed.sandbox.guarded import Guarded
from testbed.sandbox.program import Order, Place
from tests.emulation.conftest import COMMAND, FILES, Run, Start
from tests.support.boxes import box
from tests.support.paths import ROOT
from tests.support.processes import awaited, descendants, gone, processes
from tests.support.terminal import Terminal

MARK = f"4242.{os.getpid()}"
"""The seconds that programs of this process's tests sleep, to find them by: other workers have others."""
TALK = """
import contextlib, os, socket, sys
sys.stdin.readline()
talk = socket.socket(socket.AF_INET, {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]])
talk.settimeout(1)
with contextlib.suppress(OSError):  # a port that is given twice serves nobody
    talk.connect(("server", 7))
for line in sys.stdin:
    with contextlib.suppress(OSError):
        talk.send(os.urandom(20))
        talk.recv(100)
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that builds a lab, whose `lastport` is the one of these tests."""
    import shlex

    monkeypatch.setenv("LASTPORT", shlex.join(COMMAND))
    monkeypatch.chdir(tmp_path)
    return nat


def sleepers() -> list[int]:
    """Return the processes of these tests' programs."""
    return [process for process, (_, command) in processes().items() if command == f"sleep {MARK}"]


def results(folder: Path) -> dict[str, Any]:
    """Return the results of the only run below a folder."""
    (found,) = folder.glob("runs/*/results.json")
    told: dict[str, Any] = json.loads(found.read_text())
    return told


def test_programs_find_what_they_expect(lab: Any) -> None:
    """Names, a resolver, services outside, and variables; and they end with all that they leave behind."""
    with lab(clients=2, filtering="edf") as made:

        def said(host: str, *command: str) -> str:
            done = made.exec(host, command, timeout=60)
            assert done.status == 0, done
            return str(done.output).strip()

        assert made.hosts == ["alice", "bob", "server", "mirror"]
        assert said("alice", "curl", "-sS", "http://mirror-2/").startswith("192.0.2.1:")
        assert (
            said("bob", "curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", "http://server/3M")
            == "3145728"
        )
        assert said(
            "bob", "sh", "-c", "hostname; echo $LASTPORT_HOST $LASTPORT_ADDRESS_SERVER $LASTPORT_ADDRESS"
        ) == ("bob\nbob 198.51.100.1 10.0.0.2")
        assert "DNS" in made.complaints or said("alice", "python3", "-c", ASKED) == "10.0.0.2"
        stun = said("alice", "turnutils_natdiscovery", "-m", "-f", "198.51.100.1")
        assert "NAT with Endpoint Independent Mapping!" in stun
        assert "NAT with Address and Port Dependent Filtering!" in stun
        assert json.loads(said("bob", "iperf3", "-c", "server", "-n", "100K", "-J"))["end"]["sum_sent"]["bytes"]

        left = made.exec("alice", ["sh", "-c", f"setsid sleep {MARK} & (sleep {MARK} &); kill -SEGV $$"])
        assert left.status == 128 + signal.SIGSEGV
        assert not sleepers()
        assert made.exec("alice", ["no-such-program"]).status == 127
        assert made.exec("alice", [""]).status == 127
        assert "at least one word" in made.exec("alice", []).errors
        with pytest.raises(TypeError, match="a list of words"):
            made.exec("alice", "echo words")
        assert made.exec("alice", ["/etc/hosts"]).status == 126
        assert made.exec("nobody", ["true"]).status == 125
        stopped = made.start("server", ["sh", "-c", f"echo up; sleep {MARK}"])
        stopped.wait_for("up")
        stopped.signal(99)  # there is none
        assert stopped.stop().status == 128 + signal.SIGKILL

    account = made.results["account"]["gateway"]
    assert account["mappings"] >= account["most_at_once"] >= 5
    assert [check["ok"] for check in made.results["checks"]] == [True, True]


ASKED = """
import socket, struct
query = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\\3bob\\0" + struct.pack("!2H", 1, 1)
resolver = open("/etc/resolv.conf").read().split()[1]
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(30)
asked.sendto(query, (resolver, 53))
print(socket.inet_ntoa(asked.recv(512)[-4:]))
"""


def test_several_programs_share_one_output(run: Run, tmp_path: Path) -> None:
    """Each line has its host's name, and the last program decides; a NAT that is full is in the account.

    With --read-only they write in their folder and nowhere else, not even as root.
    """
    outside = Path("/etc/lastport-was-here")
    write = f"mount -o remount,rw / 2>/dev/null; touch {outside} 2>/dev/null || echo complaint >&2"
    connect = "for port in 1 2 3 4 5 6; do curl -sS -m 1 http://server/ >/dev/null 2>&1; done"
    done = run(
        *("exec", "--read-only", "--set", "ports=4", "--at", "bob", f"echo begun; sleep {MARK}"),
        *("--at", "server", write, "--", "sh", "-c", f"{connect}; echo over; touch here; exit 9"),
    )

    assert done.status == 9
    assert sorted(done.output.splitlines()) == ["alice: over", "bob: begun"]
    assert "server: complaint\n" in done.complaints
    assert (outside.exists(), (tmp_path / "here").exists()) == (False, True)
    assert "4 mappings made, at most 4 at once, 4 still open" in done.complaints
    assert "since its external address has no free port" in done.complaints
    assert "no leak, no sharing; results in runs/" in done.complaints
    assert results(tmp_path)["series"]["exit_status"] == 9
    assert not sleepers()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nonsense", "--", "true"], "No such option"),
        (["--gateway", "nonsense", "--", "true"], "nonsense"),
        (["--at", "nobody", "true"], "nobody"),
        (["--timeout", "inf", "--", "true"], "--timeout"),
        (["--session", "--", "true"], "--session takes its programs from standard input"),
        ([], "nothing to run"),
    ],
)
def test_what_lastport_refuses_has_its_own_status(run: Run, arguments: list[str], reason: str) -> None:
    """Nothing has been started."""
    done = run("exec", *arguments)

    assert (done.status, done.output) == (125, "")
    assert reason in done.complaints


SCRIPT = """
stty size
cat
trap 'echo interrupted; exit 5' INT
echo waiting
while :; do sleep 0.1; done
"""


def test_a_terminal_is_the_program_s(tmp_path: Path) -> None:
    """Its size, Ctrl-Z and `fg` in a shell, Ctrl-C, and its status; and it is as before in the end."""
    (tmp_path / "script").write_text(SCRIPT)
    line = f"cd {tmp_path}; {sys.executable} -P -m testbed.command exec --set clients=1 -- sh script"
    terminal = Terminal(["bash", "--norc", "-i"], columns=100, rows=30, PS1="$ ")
    try:
        terminal.shows("$")
        terminal.type(f"{line}\r")
        terminal.shows("30 100")
        terminal.type("one\r")
        terminal.shows("one\none")
        terminal.type("\x1a")
        terminal.shows("Stopped")
        terminal.resize(80, 20)
        terminal.type("fg; echo status-$?\r")
        terminal.shows("fg; echo")
        awaited(lambda: not terminal.modes_now()[3] & termios.ISIG, "the terminal to be the program's again")
        terminal.type("two\r")
        terminal.shows("two\ntwo")
        terminal.type("\x04")
        terminal.shows("waiting")
        terminal.type("\x03")
        terminal.shows("interrupted")
        terminal.shows("status-5")
    finally:
        terminal.close()


def test_a_scenario_runs_programs(run: Run) -> None:
    """On several hosts at once, each to its end."""
    done = run("run", f"{FILES}/own_programs.py", "--set", "clients=2", "--json")

    assert done.status == 0, done.output + done.complaints


@pytest.mark.deep
def test_a_quota_and_a_long_line_are_what_the_program_meets(run: Run, tmp_path: Path) -> None:
    """Any limit may be set, since nothing is asked of the NAT. The account names it."""
    first = "curl -s -m 5 -o /dev/null -w '%{time_connect}' http://server/"
    done = run(
        *("exec", "--set", "port_quota=1", "--set", "inside_delay=20ms", "--"),
        *("sh", "-c", f"{first}; curl -s -m 1 http://server/"),
    )

    told = results(tmp_path)["series"]
    assert float(done.output) >= 0.04
    assert (done.status, told["exit_status"]) == (28, 28)
    assert told["account"]["gateway"]["mappings"] == 1
    assert "no leak, no sharing" in done.complaints
    assert "quota" in done.complaints


EXAMPLES = ROOT / "docs/examples"


@pytest.mark.deep
@pytest.mark.parametrize(
    ("gateway", "sets"),
    [
        ("slirp", ()),
        ("passt", ()),
        ("app", (f"app={EXAMPLES}/apps/whole_nat.py",)),
        ("program", (f"program=python3 {EXAMPLES}/programs/packet_nat.py {{inside}} {{outside}}",)),
    ],
)
def test_any_gateway_has_a_program_behind_it(
    run: Run, tmp_path: Path, gateway: str, sets: tuple[str, ...]
) -> None:
    """The page is the endpoint that the server saw. The NAT's table need not be known."""
    os.chmod(tmp_path, 0o755)
    done = run("exec", "--topology", "edge", "-g", gateway, *_sets(sets), "--", "curl", "-sS", "http://server/")

    assert (done.status, done.output.partition(":")[0]) == (0, "192.0.2.1"), done.complaints
    assert "this NAT does not show its mappings" in done.complaints
    assert "no leak" in done.complaints


@pytest.mark.deep
def test_a_box_has_a_program_behind_it(run: Run) -> None:
    """Between two interfaces of this machine: a file of 1 MiB comes through it."""
    with box() as device:
        done = run("exec", *device.choices, "--set", "ports=16", "--", "curl", "-sS", "http://server/1M")

    assert (done.status, len(done.output)) == (0, 1 << 20), done.complaints
    assert "no leak" in done.complaints


def _sets(choices: Iterable[str]) -> Iterator[str]:
    for each in choices:
        yield from ("--set", each)


@pytest.mark.deep
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_nat_that_gives_a_port_twice_is_found_out(run: Run, protocol: str, tmp_path: Path) -> None:
    """Mutation: the allocator gives each port to two mappings. An honest one is not blamed."""
    (tmp_path / "talk.py").write_text(TALK)
    os.chmod(tmp_path, 0o755)
    turns = "for turn in 1 2 3 4 5 6 7 8; do echo; sleep 0.3; done"
    talk = f"{turns}) | python3 talk.py {protocol}"
    hosts = ["--at", "alice", f"({talk}", "--at", "bob", f"(sleep 1; {talk}"]
    honest = run("exec", *hosts)
    twice = run("exec", "--allocator", f"{FILES}/own_strategies.py:Twice", *hosts)

    assert "no sharing" in honest.complaints
    assert "SHARED" in twice.complaints
    assert (honest.status, twice.status) == (0, 0)


FLOOD = """
import os, socket, sys
os.fork()
while True:
    talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM)
    talk.setblocking(False)
    talk.connect_ex(("198.51.100.1", 9))
    for number in range(100_000 if sys.argv[1] == "udp" else 0):
        try:
            talk.send(b"%016d" % number)
        except OSError:
            pass
    talk.close()
""".replace("'", '"')
DAEMON = f"""
import os
if os.fork():
    os._exit(3)
os.setsid()
os.fork() and os._exit(0)
os.execvp("sleep", ["sleep", "{MARK}"])
"""


@pytest.mark.deep
@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("head -c 1G /dev/zero", 0),
        (f"trap '' TERM INT HUP; sleep {MARK}", 124),
        (f"bomb() {{ sleep {MARK} & bomb & bomb; }}; bomb", 124),
        ("exec kill -KILL $$", 137),
        (f"exec {sys.executable} -c '{FLOOD}' udp", 124),
        (f"exec {sys.executable} -c '{FLOOD}' tcp", 124),
        (f"exec {sys.executable} -c '{DAEMON}'", 3),
    ],
    ids=["prints a gigabyte", "hangs", "forks", "is killed", "floods", "floods with SYNs", "becomes a daemon"],
)
def test_whatever_a_program_does_nothing_is_left(start: Start, tmp_path: Path, program: str, status: int) -> None:
    """And the account is told."""
    process = start("exec", "--timeout", "10", "--", "bash", "-c", program)
    output, complaints = process.communicate(timeout=300)

    assert process.returncode == status
    assert len(output) == (1 << 30 if "1G" in program else 0)
    assert "mappings made" in complaints
    assert results(tmp_path)["series"]["account"]
    assert not sleepers()


BOMBS = {
    "fork": f"""
import os, time
for _ in range(400): os.fork() or os.execvp("sleep", ["sleep", "{MARK}"])
time.sleep(9)
""",
    "thread": """
import threading, time
for _ in range(400): threading.Thread(target=threading.Event().wait, daemon=True).start()
time.sleep(9)
""",
}
OLD_KERNEL = """
from testbed.sandbox import crowd, program
crowd.COUNTED_SINCE, crowd.MOST_PROCESSES = (99, 0), 300
program.main()
"""


def guarded(command: tuple[str, ...], guard: str = "", **more: Any) -> Guarded:
    """Run a program under a guard of its own, in no lab, and return what became of it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    order = Order(command, "/", dict(os.environ), read_only=more.pop("read_only", False)).written()
    descriptors = (theirs.fileno(), order, Place("alice", "/proc/self/ns/net", **more).written())
    start = [sys.executable, "-P", *(["-c", guard] if guard else ["-m", "testbed.sandbox.program"])]
    process = subprocess.Popen([*start, *map(str, descriptors)], pass_fds=descriptors)
    theirs.close()
    for descriptor in descriptors[1:]:
        os.close(descriptor)
    found = Guarded(ours)
    try:
        found.follow()
    finally:
        found.close()
        process.wait()
    return found


@pytest.mark.deep
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_kernel_that_does_not_count_processes_has_them_counted(bomb: str) -> None:
    """As before Linux 6.14. Mutation: without the count, the program goes on."""
    ended = guarded((sys.executable, "-c", BOMBS[bomb]), OLD_KERNEL)

    assert (ended.status, ended.complaint) == (128 + signal.SIGKILL, crowd.TOO_MANY)
    assert not sleepers()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_program_fills_a_run_of_its_own_and_finds_the_lab_s_files_there(tmp_path: Path, read_only: bool) -> None:
    """/etc/resolv.conf may lead there. What is in memory is less than the machine has, in all."""
    (tmp_path / "names").write_text("kept")
    program = """
import os, sys
assert open("/run/resolver/names").read() == "kept"
assert os.listdir("/run") == ["resolver"]
try:
    open("/run/full", "wb").write(bytes(65 << 20))
except OSError as error:
    assert error.errno in (28, 30)
else:
    sys.exit("it is not bounded")
rooms = [os.statvfs(each) for each in ("/tmp", "/var/tmp", "/dev/shm")]
memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
assert len(sys.argv) == 1 or sum(each.f_blocks * each.f_frsize for each in rooms) < 0.7 * memory
"""
    command = (sys.executable, "-c", program, *["bounded"] * read_only)
    ended = guarded(command, files={"/run/resolver/names": str(tmp_path / "names")}, read_only=read_only)

    assert (ended.status, ended.complaint) == (0, "")


@pytest.mark.deep
def test_a_lab_that_is_killed_is_an_error_with_a_reason(lab: Any) -> None:
    """Its programs end, and nobody waits for them."""
    made = lab(clients=1)
    sleeping = made.start("alice", ["sleep", MARK])
    awaited(sleepers, "the program to begin")
    made._process.kill()
    with pytest.raises(LabError, match="ended with the status -9"):
        sleeping.wait()
    made.close()
    awaited(lambda: not sleepers(), "the program to end")


@pytest.mark.deep
def test_an_account_that_nobody_can_read_changes_no_status(tmp_path: Path) -> None:
    """The results are kept, and have it."""
    command = [*COMMAND, "exec", "--", "sh", "-c", "exit 3"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, cwd=tmp_path, stderr=full, timeout=300, check=False)

    assert done.returncode == 3
    assert results(tmp_path)["series"]["exit_status"] == 3


@pytest.mark.deep
def test_the_end_of_lastport_is_the_end_of_its_programs(start: Start) -> None:
    """Even if it is killed."""
    process = start("exec", "--", "sleep", MARK)
    awaited(sleepers, "the program to begin")
    process.kill()
    awaited(lambda: not sleepers(), "the program to end")


@pytest.mark.deep
def test_ctrl_c_is_for_the_program_once_and_twice(start: Start) -> None:
    """It ends when it wants to, with its own status."""
    counts = "n=0; trap 'n=$((n+1)); echo got $n; [ $n = 1 ] || exit 7' INT; echo up; while :; do sleep 0.1; done"
    process = start("exec", "--", "sh", "-c", counts)
    assert process.stdout is not None
    for line in ("up\n", "got 1\n"):
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)

    assert (process.stdout.readline(), process.wait(300)) == ("got 2\n", 7)


@pytest.mark.deep
def test_ctrl_c_before_there_is_a_program_ends_the_run(start: Start) -> None:
    """With the status of an interrupted command, and nothing left."""
    process = start("exec", "--", "sleep", MARK)
    awaited(lambda: "ovs-vswitchd" in " ".join(descendants(process.pid).values()), "the switch")
    family = descendants(process.pid)
    process.send_signal(signal.SIGINT)

    assert process.wait(300) == 128 + signal.SIGINT
    awaited(lambda: gone(family), "the end of every process")


@pytest.mark.deep
def test_a_signal_reaches_the_program(start: Start) -> None:
    """Which decides what it does."""
    process = start("exec", "--", "sh", "-c", f"trap 'exit 3' TERM; sleep {MARK} & wait")
    awaited(sleepers, "the program to begin")
    process.terminate()

    assert process.wait(300) == 3


@pytest.mark.deep
@pytest.mark.parametrize("example", ["punching", "ice"])
def test_the_example_s_own_tests_pass(example: str) -> None:
    """Hole punching behind nine pairs of NATs: by hand, and by ICE where aioice is installed."""
    if example == "ice":
        pytest.importorskip("aioice")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=."]
    done = subprocess.run(
        [*command, f"{ROOT}/docs/examples/{example}"], capture_output=True, text=True, timeout=600, check=False
    )

    assert "9 passed" in done.stdout, done.stdout + done.stderr
