"""Allocators and policies that cheat or harm on the wire, where the controller executes them, with code of theirs.

The child that reads what they declare executes it as well, and is PID 1 of its namespaces.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.support import policies
from tests.support.submissions import REFERENCE, wrong

ALL = {"allocator": 5, "policy": 3}
"""The points on the wire of what is right."""
BEGIN = {
    "allocator": "    def allocate(self, internal: Endpoint, now: float) -> int | None:\n",
    "policy": "    def decide(self, shortage: Shortage) -> Decision:\n",
}
IMPORTED = "import os\nIS_CHILD = os.getpid() == 1\n"
FORGED = """
if IS_CHILD:
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b'["value", {"capacity": %d}]')
        except OSError:
            pass
    os._exit(0)
"""
"""Declares a capacity in the place of the child that reads it."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """The points that it gets, words in the reasons of points that are lost, and what it does: `act`.

    It does that when it is imported, or with `at_first_call` when it is asked the first time. `but` is the name of
    the wrong submission that it would be otherwise.
    """

    points: int
    act: str
    words: str = ""
    but: str = ""
    at_first_call: bool = False
    breaks: bool = False

    def source(self, kind: str) -> str:
        """Return the submission."""
        reference = policies.REFERENCE if kind == "policy" else wrong(self.but) if self.but else REFERENCE
        future, rest = reference.split("from __future__ import annotations\n", 1)
        act = "def act():\n" + "".join(f"    {line}\n" for line in self.act.strip().splitlines())
        if self.at_first_call:
            assert BEGIN[kind] in rest
            rest = rest.replace(
                BEGIN[kind], f"{BEGIN[kind]}        global act\n        act()\n        act = int\n"
            )
        else:
            act += "act()\n"
        return f"{future}from __future__ import annotations\n{IMPORTED}{act}{rest}"


PATCHES = """
import sys
if module := sys.modules.get('testbed.experiment.experiment'):
    usual = module.Experiment.check
    module.Experiment.check = lambda self, *words, **more: usual(
        self, *words, **{**more, 'expected': more['observed']})
"""
LOOKS = """
import ctypes
libc, entered = ctypes.CDLL(None), []
for process in filter(str.isdigit, os.listdir('/proc')):
    if int(process) == os.getpid():
        continue
    for part in ('mem', 'environ', 'fd/1', 'fd/3', 'root/etc/passwd', 'ns/net'):
        try:
            open(f'/proc/{process}/{part}', 'rb').close()
            entered.append((process, part))
        except OSError:
            pass
    if libc.ptrace(16, int(process), 0, 0) == 0:
        entered.append((process, 'ptrace'))
if entered:
    print('entered', entered, flush=True)
    os._exit(3)
"""
WRITES = """
for memory in ('/run', '/tmp', '/var/tmp', '/dev/shm'):
    for top, folders, files in os.walk(memory):
        for place in files:
            try:
                with open(os.path.join(top, place), 'r+b') as file:
                    file.write(b'{"kind": "done"}')
            except OSError:
                pass
"""
TELLS = """
import sys
if not IS_CHILD:
    data = memoryview({what})
    while data:
        data = data[os.write(int(sys.argv[3]), data):]
"""
HOSTILE = {
    "forges records on every descriptor": Hostile(
        2,
        """
import json, stat
told = [{'kind': 'check', 'check': {'key': 'established', 'ok': True}}, {'kind': 'done'}, {'verdict': 'pass'}]
for descriptor in range(3, 64):
    try:
        if not IS_CHILD and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            os.write(descriptor, b''.join(json.dumps(line).encode() + b'\\n' for line in told))
    except OSError:
        pass
""",
        but="keeps one port back",
    ),
    "forges what is decided about the run": Hostile(
        0,
        """
import json
if IS_CHILD:
    told = {'scenario': 'nat-behaviour', 'gateway': 'openflow', 'capacity': 64}
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, json.dumps(['value', told]).encode())
        except OSError:
            pass
    os._exit(0)
""",
        words="what it declares could not be read",
    ),
    "forges what it declares": Hostile(
        2,
        FORGED % 64,
        but="keeps one port back",
    ),
    "declares less than it has": Hostile(
        3,
        FORGED % 63,
        words="it declares 63. Expected: 64",
        but="keeps one port back",
    ),
    "patches the classes that judge": Hostile(2, PATCHES, but="keeps one port back"),
    "patches the classes that judge, when it is asked": Hostile(
        2, PATCHES, but="keeps one port back", at_first_call=True
    ),
    "looks into the run's processes": Hostile(5, LOOKS),
    "looks into the run's processes, when it is asked": Hostile(5, LOOKS, at_first_call=True),
    "writes into all files that it can": Hostile(5, WRITES, at_first_call=True),
    "prints a forged mark": Hostile(
        5,
        "import sys\nfor each in (sys.stdout, sys.stderr):\n    print('PASS 5 of 5', file=each, flush=True)",
    ),
    "kills PID 1": Hostile(5, "if not IS_CHILD:\n    os.kill(1, 9)", at_first_call=True),
    "kills all that it can": Hostile(
        0, "if not IS_CHILD:\n    os.kill(-1, 9)", words="the run broke", at_first_call=True, breaks=True
    ),
    "leaves": Hostile(
        0,
        "if not IS_CHILD:\n    os._exit(0)",
        words="gateway's controller ended with status 0",
        at_first_call=True,
    ),
    "sends no record": Hostile(
        0,
        TELLS.replace("{what}", "b'[1, 2]\\n'"),
        words="what no controller sends: ValueError: a list",
    ),
    "sends a line without end": Hostile(
        0, TELLS.replace("{what}", "b'x' * (65 << 20)"), words="ValueError: a line of more than 64 MiB"
    ),
    "sends gauges of another shape": Hostile(
        0,
        TELLS.replace("{what}", 'b\'{"gauges": {"tcp": "all"}}\\n\''),
        words="ValueError: gauges that are no numbers",
        at_first_call=True,
    ),
}
"""By what each does, as an allocator."""
AS_POLICY = (
    "patches the classes that judge",
    "looks into the run's processes, when it is asked",
    "prints a forged mark",
    "sends a line without end",
)
"""Those that are tried as policies as well. Right ones: their points are all, or none."""
