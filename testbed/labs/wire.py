"""The second rung: the same file on the wire, in runs of the sandbox, with real packets.

Each run is a command of its own. So this process's secrets are not in its memory, and the submission is a copy in
a private folder. The folders of the others and of the key are empty for it. A requirement here is a check of a
run, or several checks, by their keys.

Which checks there are, and whether they hold, comes from the run's sandbox. An allocator, a policy or a whole NAT
is in a process there that has no rights over the one that judges. A student's own scenario is in that one.

A run that broke is tried again where the machine may be the cause (`testbed.labs.blame`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from testbed.experiment.judged import JUDGED
from testbed.labs.blame import Cause, cause
from testbed.labs.bugs import as_file
from testbed.labs.lab import Expected, Lab, Wire
from testbed.labs.packets import phases, sliced
from testbed.labs.submission import Hidden, content
from testbed.labs.variants import Variant
from testbed.run.exit_status import ExitStatus
from testbed.run.folder import LOG
from testbed.run.strangers import CHECKOUT, programs
from testbed.sandbox import linux
from testbed.sandbox.enter import MachineError
from testbed.sandbox.mounts import keep_to_ourselves
from testbed.sandbox.words import harmless

WITHIN_S = 600.0
TRIES = 2
"""How often a run that broke is tried. The machine may have been the cause."""
SAID = 4000
"""The bytes that are kept of what a NAT prints in one run."""
LONGEST = 200
"""The characters of a check's values that are repeated."""
IS_PROGRAM = (b"#!", b"\x7fELF")
"""How a file begins that is a program, and no application of a framework."""
COMMAND = "{file} {{inside}} {{outside}}"
"""How a NAT that is a program is started."""
NAT, SCENARIO = "nat.py", "scenario.py"
EMPTY = "size=64k,mode=755"


class BrokeError(Exception):
    """No run came to its end: the message is the reason. Whether the submission is the cause is not known."""


class RefusedError(Exception):
    """The submission cannot be part of a run: the message is the reason."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What is known of a run: its checks, its outcomes, and the packets of the first second of each phase."""

    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    """What became of the attempts."""
    packets: dict[str, bytes] = field(default_factory=dict)
    why: str = ""
    """Why it did not come to its end, if the submission is the cause."""
    is_certain: bool = True
    """Whether the submission is the cause. Otherwise the machine may be, and a second run decides."""
    said: str = ""
    """What a NAT of the student's own has printed."""

    @property
    def alarms(self) -> list[dict[str, Any]]:
        """The checks of a student's own scenario that do not hold."""
        return [check for key, check in self.checks.items() if key not in JUDGED and not check["ok"]]


def run(lab: Lab, part: Wire, file: Path, variant: Variant, hidden: Hidden) -> Ran:
    """Run one part of a lab's second rung. Raises BrokeError, RefusedError and MachineError."""
    return settled(partial(_ran, lab, part, file, variant, hidden))


def settled(trying: Callable[[], Ran]) -> Ran:
    """Return a run that came to its end, or why the submission is the cause that none did. Raises BrokeError."""
    doubtful, why = list[Ran](), ""
    for _ in range(TRIES):
        try:
            ran = trying()
        except BrokeError as error:
            why = str(error)
            continue
        if ran.is_certain:
            return ran
        doubtful.append(ran)
    if len(doubtful) == TRIES:
        return doubtful[-1]
    raise BrokeError(why)


def _ran(lab: Lab, part: Wire, file: Path, variant: Variant, hidden: Hidden) -> Ran:
    with tempfile.TemporaryDirectory(prefix="lastport-") as name:
        folder = Path(name)
        handed_in = file.parent / part.file if part.file else file
        copy = folder / (SCENARIO if part.file else f"submission{file.suffix}")
        try:
            copy.write_bytes(content(handed_in))
        except OSError as error:
            raise RefusedError(f"{handed_in.name} cannot be copied: {error.strerror}") from None
        copy.chmod(0o755)
        results = folder / "run"
        words = _own(part, copy, variant) if part.file else [_scenario(part), *_as(lab.submission, copy)]
        settings = [word for key, value in part.settings.items() for word in ("--set", _set(key, value, variant))]
        command = [sys.executable, "-P", "-m", "testbed.command", "run", *words, *settings]
        command += ["--json", "--no-live", "--pcap", "--out", str(results)]
        try:
            ended = subprocess.run(
                command,
                cwd=name,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                capture_output=True,
                timeout=WITHIN_S,
                check=False,
                preexec_fn=partial(_cover, [*_coverable(hidden.folders)]),
            )
        except subprocess.TimeoutExpired:
            raise BrokeError(f"it took longer than {WITHIN_S:g} s") from None
        return _told(ended, part, results, str(folder), lab.submission)


def _told(ended: subprocess.CompletedProcess[bytes], part: Wire, results: Path, folder: str, kind: str) -> Ran:
    """Return what a run that ended has printed and kept."""
    why = harmless(ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]).removeprefix("lastport: ")
    if ended.returncode == ExitStatus.MACHINE_LACKS:
        raise MachineError(why)
    if ended.returncode == ExitStatus.WRONG_INPUT:
        raise RefusedError(why.replace(f"{folder}/", "")[:LONGEST])
    try:
        told = json.loads(ended.stdout)
        checks = {str(check["key"]): check for check in told["checks"]}
    except (ValueError, TypeError, KeyError):
        raise BrokeError(why or f"it ended with status {ended.returncode}") from None
    wanted = {each.phase for each in part.requirements.values()}
    packets = {phase: sliced(results, begins) for phase, begins in phases(results).items() if phase in wanted}
    said = _printed(results / LOG)
    if told["verdict"] != "error":
        return Ran(checks, told["outcomes"], packets, said=said)
    reason = harmless(str(told.get("error", "the run broke")))
    if (of := cause(kind, reason)) is Cause.UNKNOWN:
        raise BrokeError(reason[:LONGEST])
    words = " ".join(harmless(str(told.get("last_words", ""))).split())[-LONGEST:]
    why = f"{reason[:LONGEST]}: {words}" if words else reason[:LONGEST]
    return Ran(checks, {}, packets, why, of is Cause.SUBMISSION, said)


def _printed(log: Path) -> str:
    """Return the beginning of what a stranger's program has printed."""
    try:
        with log.open("rb") as file:
            return harmless(file.read(SAID).decode(errors="backslashreplace"))
    except OSError:
        return ""


def _scenario(part: Wire) -> str:
    """Return the scenario of a run: one of the catalogue, or a file of this checkout."""
    return str(CHECKOUT / part.scenario) if part.scenario.endswith(".py") else part.scenario


def _as(kind: str, file: Path) -> list[str]:
    """Return the words of a command by which a submission takes its place in a run."""
    if kind == "allocator":
        return ["--allocator", str(file)]
    if kind == "policy":
        return ["--set", f"on_exhaustion={file}"]
    if is_program(file):
        return ["--gateway", "program", "--set", f"program='{COMMAND.format(file=file)}'"]
    return ["--gateway", "app", "--set", f"app={file}"]


def is_program(file: Path) -> bool:
    """Whether a NAT is a program: a script with an interpreter in its first line, or a binary."""
    return file.read_bytes().startswith(IS_PROGRAM)


def _own(part: Wire, scenario: Path, variant: Variant) -> list[str]:
    """Return the words for a student's own scenario, and a NAT with the student's bug or with none."""
    nat = scenario.with_name(NAT)
    nat.write_text(as_file(variant["suspect"] if part.finds is Expected.THE_BUG else 0))
    return [str(scenario), "--gateway", str(nat)]


def _set(key: str, value: int | str, variant: Variant) -> str:
    numbers = {name.replace("-", "_"): number for name, number in variant.items()}
    return f"{key}={value.format(**numbers) if isinstance(value, str) else value}"


def _coverable(folders: Iterable[Path]) -> Sequence[Path]:
    """Return the folders without which a run works."""
    needed = [*programs(), Path(tempfile.gettempdir()).resolve()]
    return [folder for folder in folders if not any(each == folder or folder in each.parents for each in needed)]


def _cover(folders: Sequence[Path]) -> None:
    """Have this process and its children see nothing in these folders, if it is root."""
    if os.geteuid() != 0 or not folders:
        return
    linux.unshare(linux.CLONE_NEWNS)
    keep_to_ourselves()
    for folder in folders:
        if folder.is_dir():
            linux.mount("tmpfs", str(folder), "tmpfs", options=EMPTY)
            linux.mount_read_only(str(folder))


def judged(part: Wire, name: str, ran: Ran, silent: Mapping[str, bool]) -> tuple[bool, str, str]:
    """Return whether a requirement is met, what was seen, and what was expected.

    `silent` has, for each file, whether it was silent on a NAT without a bug. One that was not finds nothing.
    """
    if part.finds is not None:
        return _found(part, ran, silent)
    asked = part.requirements[name]
    keys = asked.checks or [name]
    lacking = [key for key in keys if key not in ran.checks]
    failed = [ran.checks[key] for key in keys if key not in lacking and not ran.checks[key]["ok"]]
    if failed:
        return False, *_words(failed[0])
    if ran.why or lacking:
        return False, ran.why or "the run did not make this check", "a run to its end"
    if asked.expects is not None and (declared := ran.checks[keys[0]]["expected"]) != asked.expects:
        return False, f"it declares {harmless(str(declared))[:LONGEST]}", str(asked.expects)
    if asked.outcome and not 0 < ran.outcomes.get(asked.outcome, 0) == ran.checks[keys[0]]["observed"]:
        return False, _ends(ran.outcomes), f"that each attempt which is refused ends by {asked.outcome}"
    return True, ", ".join(_words(ran.checks[key])[0] for key in keys), ""


def _found(part: Wire, ran: Ran, silent: Mapping[str, bool]) -> tuple[bool, str, str]:
    """Judge a student's own scenario by what it says of a NAT."""
    seen = f"it found: {harmless(str(ran.alarms[0]['claim']))[:LONGEST]}" if ran.alarms else "it found nothing"
    if ran.why:
        return False, ran.why, "a run to its end"
    if part.finds is Expected.NOTHING:
        return not ran.alarms, seen, "silence, since this NAT does what it declares" * bool(ran.alarms)
    if not silent.get(part.file, True):
        return False, f"{seen}, as it did in a NAT without a bug", "that it finds something in this one only"
    return bool(ran.alarms), seen, "that it finds what is wrong with this NAT" * (not ran.alarms)


def _ends(outcomes: Mapping[str, int]) -> str:
    """Return what became of a run's attempts, in words."""
    return ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items() if number) or "no attempt"


def _words(check: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a check observed and expected, as they may be printed."""
    observed, expected = (harmless(str(check[key]))[:LONGEST] for key in ("observed", "expected"))
    return observed, expected
