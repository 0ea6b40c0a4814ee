"""Walls around code that a stranger wrote: what it sees of the machine, what it may do, and how much of it.

A process that `build` has put behind walls is root of a user namespace, and nobody on the machine: started by
root, it has a user's number that owns nothing. Every file is read-only, but for folders in memory that are its
own. The homes, `/tmp` and `/run` are empty, but for what is `shown`. `/dev` has what programs need.

The read-only mounts were made outside of the user namespace. So whatever the process may do as root of it, the
kernel does not let it change them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from testbed.sandbox.linux import (
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_BIND,
    MS_REC,
    allow_no_new_privileges,
    mount,
    mount_read_only,
    unshare,
)
from testbed.sandbox.mounts import keep_to_ourselves, working_folder

COVERED = tuple(map(Path, ("/home", "/root", "/tmp", "/var/tmp", "/run")))
"""Folders that are empty behind the walls: what they have is private, or a way to the machine's services."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun")
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd"}
NOBODYS = 2_000_000_000
"""The first of the numbers of users and groups that own nothing on any machine."""
NOBODY = 65534
"""The number of the user who owns nothing, where there are no others."""
USERS = 65536
IN_MEMORY = "size=64m,nr_inodes=4096"
MOST_BYTES = 16 << 20
"""The most bytes of a file that is copied."""
FIRST_TO_GO = "1000"
"""The score of the processes that the kernel ends first when the machine has no memory left."""


ADVICE = (
    "What to do: run it as root (sudo ./lastport ...), on a kernel 5.12 or later that allows user namespaces "
    "(sysctl user.max_user_namespaces)"
)


class WallsError(Exception):
    """The walls cannot be built: the message is the reason, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may use: the number of processes, the bytes of each one's memory, and of each file."""

    processes: int
    memory: int
    file: int | None = None

    def apply(self) -> None:
        """Limit this process, and all that it starts."""
        limits = {
            resource.RLIMIT_NPROC: self.processes,
            resource.RLIMIT_DATA: self.memory,
            resource.RLIMIT_CORE: 0,
        }
        if self.file is not None:
            limits[resource.RLIMIT_FSIZE] = self.file
        for kind, most in limits.items():
            _, hard = resource.getrlimit(kind)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (least, least))


def build(shown: Iterable[Path], files: Iterable[Path], limits: Limits, *, covered: Iterable[Path] = ()) -> None:
    """Put this process, of one thread, behind walls. Raises WallsError.

    Folders in `covered` are empty, as the homes are. `shown` are folders that programs need. Of a stranger's
    `files`, the folders are shown as well, unless they are private: then the file alone is. Among them may be
    folders.
    """
    try:
        here = working_folder()
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
        is_root = os.geteuid() == 0
        if is_root:
            unshare(CLONE_NEWNS)
        else:
            _be_root_of_namespace(CLONE_NEWNS)
        keep_to_ourselves()
        view = _View(is_root=is_root)
        for folder in covered:
            view.cover(folder)
        for folder in shown:
            view.show(folder)
        for file in files:
            view.show_file(file)
        view.take_effect()
        with contextlib.suppress(OSError):
            os.makedirs(here, exist_ok=True)
        os.chdir(here if os.path.isdir(here) else "/")
        limits.apply()
        if is_root:
            _be_nobody()
        else:
            _be_root_of_namespace()
        allow_no_new_privileges()
    except OSError as error:
        raise WallsError(f"{error}. {ADVICE}") from None


class _View:
    """What will be seen of the machine's files."""

    def __init__(self, *, is_root: bool) -> None:
        self._is_root = is_root
        private = COVERED if is_root else (*COVERED, Path.home())
        self._covers = {folder for folder in private if folder.is_dir() and not folder.is_symlink()}
        self._folders: dict[Path, int] = {}
        self._copies: dict[Path, tuple[bytes, int]] = {}

    def cover(self, folder: Path) -> None:
        """Show nothing of a folder."""
        self._covers.add(folder.resolve())

    def show(self, folder: Path) -> None:
        """Show a folder, which everybody may read."""
        if not folder.is_dir():
            return
        if not self._is_open(folder):
            raise WallsError(
                f"{folder} is for its owner alone, and behind walls code is nobody's. What to do: "
                f"chmod -R go+rX {folder}"
            )
        if (top := self._top(folder)) is not None:
            self._covers.add(top)
            self._folders[folder] = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def show_file(self, file: Path) -> None:
        """Show a file with its folder; alone, if the folder or the file is private. Or a folder that is none."""
        if file.is_dir() and self._is_open(file):
            self.show(file)
        if not file.is_file():
            return
        folder, homes = file.parent, {*COVERED, Path.home()}
        is_private = folder in homes or folder.parent == Path("/home")
        if not is_private and self._is_open(folder) and self._is_open(file):
            self.show(folder)
            return
        if file.stat().st_size > MOST_BYTES:
            raise WallsError(
                f"{file} has more than {MOST_BYTES >> 20} MiB, which is too large for the copy that is shown of a "
                f"private file, or of one in a private folder. What to do: put it into a folder of its own, with "
                "chmod go+rx for the folder and chmod go+r for the file"
            )
        with file.open("rb") as opened:
            is_program = os.fstat(opened.fileno()).st_mode & stat.S_IXUSR
            self._copies[file] = opened.read(MOST_BYTES), 0o755 if is_program else 0o644
        if (top := self._top(file)) is not None:
            self._covers.add(top)

    def take_effect(self) -> None:
        """Make every mount read-only, then cover what is not to be seen, and put into place what is shown."""
        kernel = [each for each in ("/proc", "/sys") if not os.statvfs(each).f_flag & os.ST_RDONLY]
        devices = {name: _path(f"/dev/{name}") for name in DEVICES}
        mount_read_only("/", recursive=True)
        for each in kernel:  # of which the sandbox has its own, which the kernel allows where these are writable
            mount_read_only(each, read_only=False)
        outermost = {each for each in self._covers if self._covers.isdisjoint(each.parents)}
        for cover in outermost:
            mode = "1777" if cover.name == "tmp" else "755"
            mount("tmpfs", str(cover), "tmpfs", options=f"{IN_MEMORY},mode={mode}")
        for cover in self._covers:
            cover.mkdir(parents=True, exist_ok=True)
        for folder, descriptor in sorted(self._folders.items()):
            folder.mkdir(parents=True, exist_ok=True)
            mount(f"/proc/self/fd/{descriptor}", str(folder), None, MS_BIND | MS_REC)
            os.close(descriptor)
        _make_devices(devices)
        for file, (content, permissions) in self._copies.items():
            _copy(file, content, permissions)
        for cover in outermost:
            if cover.name != "tmp":
                mount_read_only(str(cover))

    def _top(self, path: Path) -> Path | None:
        """Return the outermost folder above a path that has to be covered, if there is one."""
        for parent in reversed(path.parents):
            if parent in self._covers or (self._is_root and not parent.stat().st_mode & stat.S_IXOTH):
                return parent
        return None

    def _is_open(self, path: Path) -> bool:
        """Whether the process will be able to read a file, or a folder, when all above it can be entered."""
        needed = stat.S_IROTH | stat.S_IXOTH if path.is_dir() else stat.S_IROTH
        return not self._is_root or path.stat().st_mode & needed == needed


def _path(path: str) -> int | None:
    """Return a descriptor that stands for a path, and opens nothing; None if it is not there."""
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None


def _make_devices(devices: dict[str, int | None]) -> None:
    """Cover `/dev`, and put the devices that programs need into place."""
    mount("tmpfs", "/dev", "tmpfs", options=f"{IN_MEMORY},mode=755")
    for folder in ("net", "pts", "shm"):
        Path("/dev", folder).mkdir()
    Path("/dev/shm").chmod(0o1777)
    for name, target in LINKS.items():
        Path("/dev", name).symlink_to(target)
    for name, descriptor in devices.items():
        if descriptor is not None:
            _make_device(Path("/dev", name), descriptor)
            os.close(descriptor)


def _make_device(path: Path, descriptor: int) -> None:
    """Put a device into place: one of its own, for everybody, if that is possible, and else the machine's."""
    try:
        os.mknod(path, stat.S_IFCHR, os.fstat(descriptor).st_rdev)
        path.chmod(0o666)
    except OSError:
        path.touch()
        mount(f"/proc/self/fd/{descriptor}", str(path), None, MS_BIND)


def _copy(file: Path, content: bytes, permissions: int) -> None:
    """Put a copy of a file in its place, which is in memory, or has the file itself: then on top of that."""
    place = Path("/dev/shm/copy") if file.exists() else file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(permissions)
    if place != file:
        mount(str(place), str(file), None, MS_BIND)
        place.unlink()


def _be_root_of_namespace(more: int = 0) -> None:
    """Become root of a new user namespace, in which there is nobody else, and of `more` new namespaces."""
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | more)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _be_nobody() -> None:
    """From root, become root of a new user namespace whose users own nothing outside of it."""
    ours, theirs = os.pipe()
    helper = os.fork()  # only a process outside of the namespace may give it other users than its maker
    if helper == 0:
        os.close(theirs)
        os._exit(_map_users(os.getppid()) if os.read(ours, 1) else 1)
    os.close(ours)
    os.setgroups([])
    unshare(CLONE_NEWUSER)
    os.write(theirs, b"1")
    os.close(theirs)
    if os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]):
        raise WallsError("the users of a new user namespace cannot be set")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _map_users(process: int) -> int:
    """Give a process's user namespace users that own nothing. Return an exit status."""
    _, first, count = map(int, Path("/proc/self/uid_map").read_text().splitlines()[-1].split())
    has_room = first + count >= NOBODYS + USERS
    users = f"0 {NOBODYS} {USERS}" if has_room else f"0 {NOBODY} 1"
    try:
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{process}/{name}").write_text(users)
    except OSError:
        return 1
    return 0
