"""A user's own program on a host of the lab: what stands between it and the sandbox.

    guard            enters the host's network, and reports the end when nothing of the program is left
      first          PID 1 of a namespace of the program's own: passes signals on, reaps, and ends with the program
        program      in a process group of its own, at a terminal of its own if it asked for one, as its user

So whatever the program starts, forks or leaves behind ends with it. It sees its own processes alone, the names of
all hosts in `/etc/hosts`, and a resolver in `/etc/resolv.conf`. Other files are the machine's.

The guard is started with its standard files, a socket and two files: the `Order`, by the one who wants the
program, and the `Place`, by the lab. On the socket it sends one JSON object a message: `terminal` (with the
terminal's other end), `started`, `failed`, `stopped` and `ended`. It takes `signal`. If the socket closes, the
program is ended.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self

from testbed.sandbox import crowd
from testbed.sandbox.linux import (
    CAP_SYS_ADMIN,
    CAP_SYS_PTRACE,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    die_with_parent,
    drop_capabilities,
    enter_namespace,
    mount,
    mount_read_only,
    unshare,
)

SIGNALLED = 128
"""What a shell adds to the number of a signal that ended a program."""
NOT_FOUND, NOT_ABLE, FAILED = 127, 126, 125
"""The statuses, as a shell and `env` have them: there is no such program, it cannot be run, and we failed."""
FIRST_TO_GO = "1000"
"""The score of the processes that the kernel ends first when the machine has no memory left."""
MOST_BYTES = 1 << 16
IN_MEMORY = ("/tmp", "/var/tmp", "/dev/shm")
"""Folders that stay writable where all else is read-only: they are in memory then, and the program's own."""
OF_TEMPORARY, OF_RUN = "mode=1777,size=20%", "mode=755,size=64m"
"""How much of the machine's memory each of them may take, and `/run`, which every program has for itself."""


@dataclass(frozen=True, slots=True)
class User:
    """The user that a program runs as, by the numbers of user and groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: a command, its folder and environment, and as whom (None: as whoever runs the lab).

    `at_terminal` has which of the standard files are to be a terminal of its own, by their numbers. With
    `read_only`, only the program's folder can be written, besides folders in memory, whoever the user is.
    """

    command: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    user: User | None = None
    at_terminal: tuple[int, ...] = ()
    size: tuple[int, int] = (24, 80)
    read_only: bool = False

    def __post_init__(self) -> None:
        if not self.command:
            raise ValueError("a command has at least one word")

    def written(self) -> int:
        """Return a new descriptor of a file without a name that has the order."""
        return _written(asdict(self))

    @classmethod
    def read(cls, descriptor: int) -> Self:
        """Read it from such a file."""
        told = _read(descriptor)
        user = told.pop("user")
        who = None if user is None else User(user["uid"], user["gid"], tuple(user["groups"]))
        for name in ("command", "at_terminal", "size"):
            told[name] = tuple(told[name])
        return cls(user=who, **told)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is to be run: a host by its name and network namespace.

    `files` take the places of the machine's, and variables of the `environment` tell the program of the network.
    """

    host: str
    netns: str
    files: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def written(self) -> int:
        """Return a new descriptor of a file without a name that has the place."""
        return _written(asdict(self))


def in_memory(name: str, content: bytes) -> int:
    """Return a new descriptor of a file without a place that has this content, at its beginning."""
    descriptor = os.memfd_create(name)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _written(told: dict[str, Any]) -> int:
    return in_memory("order", json.dumps(told).encode())


def _read(descriptor: int) -> dict[str, Any]:
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        told: dict[str, Any] = json.load(file)
    return told


class _NotRunError(Exception):
    """The program could not be run: the error's number, and what it is about."""

    def __init__(self, number: int, about: str) -> None:
        super().__init__(f"{about}: {os.strerror(number)}")
        self.number, self.about = number, about


def main() -> None:
    """Be the guard: run the program, wait until nothing of it is left, and report its status."""
    descriptor, ordered, placed = map(int, sys.argv[1:])
    os.set_inheritable(descriptor, False)
    control = socket.socket(fileno=descriptor)
    try:
        status = _guard(control, Order.read(ordered), Place(**_read(placed)))
    except OSError as error:
        _send(control, failed=[error.errno or 0, f"its surroundings could not be made ({error})"])
        status = FAILED
    _send(control, ended=status)


def _guard(control: socket.socket, order: Order, place: Place) -> int:
    network = os.open(place.netns, os.O_RDONLY | os.O_CLOEXEC)
    enter_namespace(network, CLONE_NEWNET)
    unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC)
    first = os.fork()
    if first == 0:
        _be_first(control, order, place)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)  # else a pipe would not end with the program
    return _as_shell(os.waitpid(first, 0)[1])


def _be_first(control: socket.socket, order: Order, place: Place) -> NoReturn:
    """Be PID 1 of the program's namespace. When this process ends, the kernel ends all others in it."""
    status = FAILED
    try:
        die_with_parent()
        os.setsid()
        _furnish(order, place)
        if order.at_terminal:
            _take_terminal(control, order)
        status = _First(control, order, place).run()
    except _NotRunError as error:
        _send(control, failed=[error.number, error.about])
        lacks = error.number in (errno.ENOENT, errno.ENOTDIR) and error.about == order.command[0]
        status = NOT_FOUND if lacks else NOT_ABLE if error.about == order.command[0] else FAILED
    except OSError as error:
        _send(control, failed=[error.errno or 0, f"its surroundings could not be made ({error})"])
    finally:
        os._exit(status)


class _First:
    """The loop of PID 1."""

    def __init__(self, control: socket.socket, order: Order, place: Place) -> None:
        self._control = control
        self._look_every = None if crowd.kernel_counts() else crowd.LOOK_EVERY_MS
        if self._look_every:
            crowd.go_before_others()
        self._woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        self._program = _start(order, place)
        _send(control, started=self._program)

    def run(self) -> int:
        """Return the program's status, as a shell has it, when it has ended, whatever it left behind."""
        poll = select.poll()
        for descriptor in (self._control.fileno(), self._woken):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._look_every)}
            if self._look_every and crowd.is_too_large():
                _send(self._control, failed=[0, crowd.TOO_MANY])
                return SIGNALLED + signal.SIGKILL
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, MOST_BYTES)
                if (status := self._reap()) is not None:
                    return status
            if self._control.fileno() in ready and not self._pass_on():
                return SIGNALLED + signal.SIGKILL  # nobody wants it any more

    def _reap(self) -> int | None:
        """Reap all that ended; return the program's status if it did. Report it if a signal stopped it."""
        with contextlib.suppress(ChildProcessError):
            while True:
                found, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
                if not found:
                    return None
                if found == self._program and os.WIFSTOPPED(status):
                    _send(self._control, stopped=os.WSTOPSIG(status))
                elif found == self._program:
                    return _as_shell(status)
        return None

    def _pass_on(self) -> bool:
        """Pass a signal on to the program and its group; return False if nobody is there to send any."""
        message = self._control.recv(MOST_BYTES)
        if not message:
            return False
        number = json.loads(message)["signal"]
        try:
            os.killpg(self._program, number)
        except OSError:  # it has made itself a group elsewhere, or there is no such signal
            with contextlib.suppress(OSError):
                os.kill(self._program, number)
        return True


def _start(order: Order, place: Place) -> int:
    """Start the program, and return its process. Raises _NotRunError if that is not possible."""
    failure, fails = os.pipe2(os.O_CLOEXEC)
    program = os.fork()
    if program == 0:
        try:
            _be_program(order, place)
        except _NotRunError as error:
            os.write(fails, json.dumps([error.number, error.about]).encode())
        finally:
            os._exit(FAILED)
    os.close(fails)
    with os.fdopen(failure, "rb") as pipe:
        said = pipe.read()
    if said:
        os.waitpid(program, 0)
        raise _NotRunError(*json.loads(said))
    return program


def _be_program(order: Order, place: Place) -> NoReturn:
    os.setpgid(0, 0)
    if order.at_terminal:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(order.at_terminal[0], os.getpgrp())
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    for number in signal.valid_signals():
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if order.read_only:
        with _about("what is read-only"):
            drop_capabilities([CAP_SYS_ADMIN, CAP_SYS_PTRACE])  # not even root mounts anything anew
    if order.user is not None:
        with _about(f"the user {order.user.uid}"):
            _become(order.user)
    with _about(f"the folder {order.folder}"):
        os.chdir(order.folder)
    with _about(order.command[0]):
        os.execvpe(order.command[0], order.command, {**order.environment, **place.environment})
    raise AssertionError("a program has replaced this one")


@contextlib.contextmanager
def _about(what: str) -> Any:
    """Raise _NotRunError about this for any error of the system in the block."""
    try:
        yield
    except OSError as error:
        raise _NotRunError(error.errno or 0, what) from None
    except ValueError:  # an empty name, or one with a zero byte
        raise _NotRunError(errno.ENOENT, what) from None


def _become(user: User) -> None:
    """Become a user, with no right of root's. Where this namespace has no such user, take one that does."""
    if (os.geteuid(), os.getegid()) == (user.uid, user.gid):
        return
    if _has(user.uid):
        os.setgroups(user.groups)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
        return
    was = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user.uid} {was[0]} 1")
    Path("/proc/self/gid_map").write_text(f"{user.gid} {was[1]} 1")


def _has(uid: int) -> bool:
    """Return whether this process's user namespace has a user of this number."""
    ranges = [tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= uid < first + count for first, _, count in ranges)


def _furnish(order: Order, place: Place) -> None:
    """Give the program its own view of processes, of its network, and of some files."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    with contextlib.suppress(OSError):  # it only shows the interfaces
        mount("sysfs", "/sys", "sysfs")
    socket.sethostname(place.host)
    files = {target: os.open(source, os.O_PATH | os.O_CLOEXEC) for target, source in place.files.items()}
    mount("tmpfs", "/run", "tmpfs", options=OF_RUN)
    for target, source in files.items():
        _put(source, target)
        os.close(source)
    if order.read_only:
        _allow_writing_only_in(order.folder)


def _put(source: int, target: str) -> None:
    """Put an open file in the place of another one, if that is there: nothing of the machine's is changed.

    The other may be a link that leads into /run, which is the program's own.
    """
    place = Path(os.path.realpath(target))
    if not place.exists():
        if Path("/run") not in place.parents:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    mount(f"/proc/self/fd/{source}", str(place), None, MS_BIND)


def _allow_writing_only_in(folder: str) -> None:
    """Make all mounts read-only but one on a folder, and those in memory."""
    kept = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mount_read_only("/", recursive=True)
    mount_read_only("/proc", read_only=False)
    for each in IN_MEMORY:
        if os.path.isdir(each):
            mount("tmpfs", each, "tmpfs", options=OF_TEMPORARY)
    os.makedirs(folder, exist_ok=True)
    mount(f"/proc/self/fd/{kept}", folder, None, MS_BIND | MS_REC)
    mount_read_only(folder, read_only=False)
    os.close(kept)


def _take_terminal(control: socket.socket, order: Order) -> None:
    """Make a terminal, send its other end, and have it as the controlling one of this session."""
    other, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", *order.size, 0, 0))
    if order.user is not None:
        with contextlib.suppress(OSError):
            os.fchown(terminal, order.user.uid, -1)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    socket.send_fds(control, [json.dumps({"terminal": True}).encode()], [other])
    for number in order.at_terminal:
        os.dup2(terminal, number)
    os.close(terminal)
    os.close(other)


def _as_shell(status: int) -> int:
    """Return a wait status as a shell has it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SIGNALLED - code


def _send(control: socket.socket, **message: Any) -> None:
    """Send a message, unless nobody is there to take it."""
    with contextlib.suppress(OSError):
        control.send(json.dumps(message).encode())


if __name__ == "__main__":
    main()
