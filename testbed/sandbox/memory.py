"""The peak memory of the processes in a sandbox."""

from __future__ import annotations

from pathlib import Path


def peak_memory() -> dict[str, int]:
    """Return the peak resident memory of all processes in the sandbox, in KiB: a sum for each command."""
    return _memory("VmHWM")


def resident_memory() -> dict[str, int]:
    """Return what all processes in the sandbox have in memory now, in KiB: a sum for each command."""
    return _memory("VmRSS")


def _memory(field: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if field in status:
            name = _program(command, int(folder.name))
            sums[name] = sums.get(name, 0) + int(status[field].split()[0])
    return sums


def _program(command: list[bytes], pid: int) -> str:
    """Name a process: a Python program by its module, another by its own name."""
    words = [word.decode(errors="replace") for word in command]
    if "-m" in words:
        return words[words.index("-m") + 1] if pid != 1 else "init"
    return Path(words[0]).name
