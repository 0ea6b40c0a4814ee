"""What is said and refused before anything is installed. Installing itself needs a bare machine and a network."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.sandbox.enter import NAMESPACES
from tests.unit.vagrant.conftest import Checkout

AS_NOBODY = ["unshare", "--user"]
"""A user other than root, who may still read this test's files."""


def provision(checkout: Checkout, *before: str, purpose: str = "run") -> subprocess.CompletedProcess[str]:
    """Run the provisioning. For tests it refuses nobody, since some tests need no lab."""
    return checkout.run(*before, "bash", "vagrant/provision.sh", purpose)


def lack(checkout: Checkout) -> None:
    """Have the checkout need a program that no machine has."""
    with (checkout.folder / "vagrant" / "programs.txt").open("a") as file:
        file.write("no-such-program  no-such-package  lab\n")


@pytest.fixture
def as_nobody() -> list[str]:
    """A command before another one that makes it a user other than root."""
    if subprocess.run([*AS_NOBODY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no user namespaces")
    return AS_NOBODY


def test_it_does_nothing_where_all_is_there(checkout: Checkout) -> None:
    """Run again, it needs no network."""
    environment = checkout.make()
    done = provision(checkout)

    assert done.returncode == 0
    assert done.stderr == f"lastport: ready, nothing to do: {environment}\n"


def test_running_needs_no_browser(checkout: Checkout) -> None:
    """Only the project's own tests look at the page by themselves."""
    checkout.make()
    with (checkout.folder / "vagrant" / "programs.txt").open("a") as file:
        file.write("no-such-program  no-such-package  browser\n")

    assert provision(checkout).returncode == 0


def test_a_program_that_only_few_ask_for_is_not_installed(checkout: Checkout) -> None:
    """The run that asks for its gateway says which package to install."""
    checkout.make()
    with (checkout.folder / "vagrant" / "programs.txt").open("a") as file:
        file.write("no-such-program  no-such-package  rare\n")

    assert provision(checkout).returncode == 0


def test_too_small_a_disk_is_refused_with_the_figures(checkout: Checkout) -> None:
    """Before anything is downloaded."""
    checkout.program("df", "#!/bin/sh\nprintf 'Avail\\n 1500\\n'\n")
    done = provision(checkout, purpose="test")

    assert done.returncode == 3
    assert "the disk is too small. " in done.stderr
    assert "1.5 MB free" in done.stderr
    assert not (checkout.store / "environments").exists()


def test_an_installation_says_first_what_it_costs(checkout: Checkout) -> None:
    """Packages, bytes, and time; here it ends there, as the disk is too small."""
    checkout.program("df", "#!/bin/sh\nprintf 'Avail\\n 1500\\n'\n")
    done = provision(checkout, purpose="test")

    lists = [
        checkout.folder / "vagrant" / "python-packages" / name
        for name in ("run.txt", "ryu.txt", "os-ken.txt", "test.txt")
    ]
    packages = sum(file.read_text().count("==") for file in lists)
    assert f"lastport: installing {packages} Python packages, once for every checkout" in done.stderr
    assert " MB to download, " in done.stderr


def test_a_user_who_lacks_packages_is_sent_to_root_at_once(checkout: Checkout, as_nobody: list[str]) -> None:
    """Nothing is put into the home folder first."""
    lack(checkout)
    done = provision(checkout, *as_nobody)

    assert done.returncode == 3
    assert "not installed on this machine: no-such-package." in done.stderr
    folder = str(checkout.folder).replace(" ", "\\ ")
    assert (
        f"Root installs it, once for everybody: sudo {folder}/lastport run port-exhaustion, or ask " in done.stderr
    )
    assert not checkout.store.exists()


def test_a_user_who_could_run_no_lab_is_sent_to_root_at_once(checkout: Checkout, as_nobody: list[str]) -> None:
    """Not after the installation."""
    checkout.program("unshare", "#!/bin/sh\necho 'unshare: not for you' >&2\nexit 1\n")
    done = provision(checkout, "/usr/bin/unshare", *as_nobody[1:])

    assert done.returncode == 3
    assert done.stderr.startswith("lastport: lastport is not installed on this machine. Root installs it, once ")
    assert "could run no lab: unshare: not for you." in done.stderr
    assert not checkout.store.exists()


def test_the_namespaces_that_are_tried_are_those_of_a_lab(checkout: Checkout) -> None:
    """Two languages, one list."""
    done = checkout.run("bash", "-c", '. vagrant/waiting.sh; echo "${namespaces[@]}"')

    assert done.stdout.split() == NAMESPACES


def test_a_second_installation_waits_and_says_for_whom(checkout: Checkout) -> None:
    """Then it uses what the first one made."""
    checkout.store.mkdir(parents=True)
    lock, turn = checkout.store / "lock", checkout.store / "turn"
    turn.write_text(f"{os.getpid()}\tann\t12:31:05\tlastport run release\n")
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            ["bash", "vagrant/provision.sh", "test", "lastport", "test"],
            cwd=checkout.folder,
            env={**os.environ, **checkout.environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr is not None
        first = waiting.stderr.readline()
        environment = checkout.make("test")
    told = waiting.communicate()[1]

    who = f"ann (process {os.getpid()}), who installs this since 12:31:05 for: lastport run release"
    assert first == f"lastport: waiting for {who}\n"
    assert told == f"lastport: ready, nothing to do: {environment}\n"
    assert turn.read_text().endswith("\tlastport test\n")
    assert lock.stat().st_mode & 0o077 == 0, "any user can hold it"


@pytest.mark.parametrize(
    ("written", "kilobytes"),
    [("850 kB", 850), ("12.3 MB", 12300), ("1.5 GB", 1500000), ("976 B", 1), ("15 MB", 15000)],
)
def test_sizes_are_read_as_apt_and_pip_write_them(checkout: Checkout, written: str, kilobytes: int) -> None:
    """All of them decimal."""
    done = checkout.run("bash", "-c", f'. vagrant/progress.sh; read_size "{written}"; echo "$kilobytes"')

    assert done.stdout == f"{kilobytes}\n"


def test_an_environment_that_nobody_used_for_a_month_goes_and_others_stay(checkout: Checkout) -> None:
    """`used` is the time of the last start by its owner, and that of pyvenv.cfg stands for the others."""
    mine = checkout.make()
    ages = {"forgotten": (99, 99), "started": (1, 99), "read": (99, 1)}
    for name, (used, read) in ages.items():
        folder = mine.parent / name
        folder.mkdir()
        for file, days in (("used", used), ("pyvenv.cfg", read)):
            (folder / file).touch()
            subprocess.run(["touch", "-d", f"-{days} days", folder / file], check=True)
    asking = "checkout=$PWD; . vagrant/environment.sh; . vagrant/waiting.sh; locate_environment"
    checkout.run("bash", "-c", f"{asking}; remove_old_environments")

    assert {folder.name for folder in mine.parent.iterdir()} == {mine.name, "started", "read"}


def test_the_packages_that_come_with_us_are_noted_with_those_of_before(checkout: Checkout) -> None:
    """Before they are installed, as an interrupted installation leaves some of them."""
    noted = Path(f"{checkout.everybodys}-packages")
    noted.parent.mkdir(parents=True, exist_ok=True)
    noted.write_text("mininet\n")
    asking = ". vagrant/packages.sh; new_packages=(tcpdump coturn); note_packages"
    checkout.run("bash", "-c", f"checkout=$PWD; . vagrant/environment.sh; {asking}")

    assert noted.read_text() == "coturn\nmininet\ntcpdump\n"


APT_GET = """#!/bin/sh
# With both of apt's answers: what it would do, and how far it is. It ends when {folder}/go is written to.
echo "$APT_CONFIG:" "$@" >>{folder}/asked
case " $* " in
    *' --assume-no '*)
        printf 'The following NEW packages will be installed:\\n  no-such-package another\\n'
        echo '0 upgraded, 2 newly installed'
        exit
        ;;
esac
{status}
echo >{folder}/begun
read -r _ <{folder}/go
"""
PATIENCE = 60
"""Seconds after which an installation that neither goes on nor ends has failed a test."""
DOWNLOADS = "echo dlstatus:1:0:Retrieving file 1 of 2 >&7"
INSTALLS = "trap '' INT; echo pmstatus:another:50:Installed another >&7"


@pytest.fixture
def apt(checkout: Checkout, tmp_path: Path) -> Iterator[Path]:
    """A folder with what apt was asked for, on a machine that has an environment and lacks a package."""
    if os.geteuid() != 0:
        pytest.skip("only root installs packages")
    checkout.make()
    lack(checkout)
    checkout.program("dpkg", "#!/bin/sh\n")
    pipes = []
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
        pipes.append(os.open(tmp_path / name, os.O_RDWR))  # so that nobody waits for its other end
    yield tmp_path
    os.write(pipes[-1], b"\n" * 9)  # for an apt that still waits where a test has failed
    for pipe in pipes:
        os.close(pipe)


def start(checkout: Checkout, apt: Path, status: str) -> subprocess.Popen[str]:
    """Start an installation in a process group of its own, and wait until apt is at work."""
    checkout.program("apt-get", APT_GET.format(folder=f"'{apt}'", status=status))
    started = subprocess.Popen(
        ["env", "--default-signal=INT", "./lastport", "list"],  # a shell's background commands ignore it
        cwd=checkout.folder,
        env={**os.environ, **checkout.environment, "PATH": f"{checkout.programs}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    begun, ended = os.open(apt / "begun", os.O_RDWR), os.pidfd_open(started.pid)
    ready = select.select([begun, ended], [], [], PATIENCE)[0]
    for each in (begun, ended):
        os.close(each)
    if ready != [begun]:
        os.killpg(started.pid, signal.SIGKILL)
        pytest.fail(f"apt did not begin: {started.communicate()[1]}")
    return started


def rest(started: subprocess.Popen[str]) -> str:
    """Return what an installation writes until it ends, as it has to."""
    try:
        return started.communicate(timeout=PATIENCE)[1]
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        raise


def test_ctrl_c_while_packages_are_downloaded_ends_at_once(checkout: Checkout, apt: Path) -> None:
    """Nothing on the machine has changed yet."""
    started = start(checkout, apt, DOWNLOADS)
    os.killpg(started.pid, signal.SIGINT)
    told = rest(started)

    assert started.returncode == 3
    assert told.endswith("lastport: interrupted. Run this again to go on.\n")
    assert "half a minute" not in told
    assert "failed" not in told
    assert (apt / "asked").read_text().count(" -y ") == 1, "tried again"


def test_ctrl_c_while_packages_are_installed_says_what_it_waits_for(checkout: Checkout, apt: Path) -> None:
    """At once, and the shell that called stays until apt is done."""
    started = start(checkout, apt, INSTALLS)
    assert started.stderr is not None
    while "package 1 of 2" not in (line := started.stderr.readline()):
        assert line, "it ended"
    os.killpg(started.pid, signal.SIGINT)

    waits = "lastport: interrupted: apt finishes what it has begun, which may take half a minute\n"
    assert select.select([started.stderr], [], [], PATIENCE)[0], "it waits without a word"
    assert started.stderr.readline() == waits
    assert started.poll() is None
    (apt / "go").write_text("\n")
    assert rest(started) == "lastport: interrupted. Run this again to go on.\n"
    assert started.returncode == 3


def test_an_interrupted_installation_goes_on_with_the_next_start(checkout: Checkout, apt: Path) -> None:
    """The programs may be there already, and not yet configured. The environment is not made again."""
    (checkout.folder / "vagrant" / "programs.txt").write_text("sh  dash  lab\n")
    (checkout.store / "installing").write_text("dpkg\n")
    started = start(checkout, apt, DOWNLOADS)
    (apt / "go").write_text("\n")
    told = rest(started)

    assert "Python packages" not in told
    assert "lastport: ready after " in told
    assert not (checkout.store / "installing").exists()


def test_apt_leaves_no_caches_of_its_own(checkout: Checkout, apt: Path) -> None:
    """They would be 84 MB that stay when all else is removed."""
    started = start(checkout, apt, DOWNLOADS)
    os.killpg(started.pid, signal.SIGINT)
    rest(started)

    told = {line.split(":")[0] for line in (apt / "asked").read_text().splitlines()}
    assert told == {f"{checkout.folder}/vagrant/apt.conf"}
    assert 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n' in Path(*told).read_text()
    assert not {"lists.bin", "apt.conf"} & {file.name for file in checkout.store.iterdir()}


def test_python_comes_first(checkout: Checkout, apt: Path) -> None:
    """The Python part goes on beside the rest. What is asked for only to be early counts as a dependency."""
    checkout.program("apt-get", f"#!/bin/sh\necho \"$@\" >>'{apt}/asked'\necho dlstatus >&7\n")
    new = "mininet libpython3.13-stdlib socat python3-minimal python3-pip-whl python3"
    scripts = "for each in environment progress packages; do . vagrant/$each.sh; done"
    ready = f"locate_environment; new_packages=({new}); show() {{ :; }}; install_packages mininet python3-pip-whl"
    done = checkout.run("bash", "-c", f"checkout=$PWD; {scripts}; {ready}")

    first, rest = (line.split(" install ")[1] for line in (apt / "asked").read_text().splitlines())
    assert done.returncode == 0, done.stderr
    assert first == "--mark-auto libpython3.13-stdlib python3-minimal python3-pip-whl"
    assert rest == "mininet python3-pip-whl"


def test_apt_asks_debconf_nothing_beforehand(checkout: Checkout, tmp_path: Path) -> None:
    """All other commands that the user has apt call are called."""
    users = tmp_path / "apt.conf"
    hooks = ["/usr/sbin/dpkg-preconfigure --apt || true", "the-users-own --command || exit 10"]
    users.write_text("".join(f'DPkg::Pre-Install-Pkgs {{"{hook}";}};\n' for hook in hooks))
    scripts = "for each in environment progress packages; do . vagrant/$each.sh; done"
    ready = 'locate_environment; mkdir -p "$store"; quicken_apt'
    asking = f'{ready}; apt-config -c "$quick" dump DPkg::Pre-Install-Pkgs'
    done = checkout.run("bash", "-c", f"export APT_CONFIG='{users}'; checkout=$PWD; {scripts}; {asking}")

    assert hooks[1] in done.stdout
    assert "dpkg-preconfigure" not in done.stdout


def test_the_files_of_several_downloads_are_counted_together(checkout: Checkout, apt: Path) -> None:
    """Apt counts each batch from one."""
    lines = [f"dlstatus:1:{file}:Retrieving file {file} of {of}" for of in (13, 53) for file in (1, of)]
    told = "\n".join(f"echo '{line}' >&7" for line in lines)
    checkout.program("apt-get", f"#!/bin/sh\n{told}\n")
    scripts = "for each in environment progress packages; do . vagrant/$each.sh; done"
    ready = 'locate_environment; system_download=24400 new_packages=({1..66}); show() { echo "$3"; }'
    done = checkout.run("bash", "-c", f"checkout=$PWD; {scripts}; {ready}; install_options=(); follow_apt 8>&1")

    assert done.stdout.splitlines() == [
        f"downloading 24.4 MB of packages: file {file} of 66" for file in (1, 13, 14, 66)
    ]


def test_the_mark_of_an_environment_is_there_when_pythons_part_ends(checkout: Checkout) -> None:
    """Apt's part may be interrupted later, or fail."""
    environment = checkout.make()
    (environment / "complete").unlink()
    (checkout.store / "logs").mkdir()
    scripts = "for each in environment progress packages waiting make-environment; do . vagrant/$each.sh; done"
    network = "make_venv() { :; }; install_lists() { :; }; install_ryu() { :; }; find_ryu() { :; }; show() { :; }"
    done = checkout.run(
        "bash", "-c", f"purpose=run; checkout=$PWD; {scripts}; {network}; locate_environment; make_python_part"
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (environment / "complete").read_text() == "ryu\n"
