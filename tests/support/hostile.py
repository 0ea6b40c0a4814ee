"""Submissions that cheat or harm: a reference, with code that is none of its business."""

from __future__ import annotations

from dataclasses import dataclass, replace

from testbed.labs.lab import Lab, find
from tests.support import checks, policies
from tests.support.submissions import REFERENCE

FULL, NOTHING = find("02").points, 0
FIRST = 1
"""What a submission gets that does not get beyond its first call of `allocate`: its length is right."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """The points that it gets, words that show why, and what it executes at import and in `allocate`.

    The words are in what it prints, or in the reason of the points that are lost. In {handed_in}, {key} and
    {checkout} there will be folders.
    """

    points: int
    words: str
    at_import: str = ""
    in_allocate: str = ""
    without: str = "\0"

    def source(self, kind: Kind | None = None, **places: str) -> str:
        """Return the submission, by default an allocator."""
        of = kind or ALLOCATOR
        indent = of.begin[: len(of.begin) - len(of.begin.lstrip())]
        assert of.begin in of.reference
        source = of.reference.replace(of.begin, f"{indent}{self.in_allocate or 'pass'}\n{of.begin}", 1)
        source = source.replace(self.without, "")
        code = self.at_import
        for name, place in places.items():
            code = code.replace(f"{{{name}}}", place)
        return f"{source}\n\n{code}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of submission: its lab, its reference, and the line before which `in_allocate` is put."""

    lab: Lab
    reference: str
    begin: str
    number: str
    """The number of its own in the reference, with {} for the student's."""

    def own(self, source: str, variant: dict[str, int]) -> str:
        """Return a source with a student's number."""
        if not self.number:
            return source
        name, wanted = self.number.lower(), f"{self.number} = "
        return source.replace(f"{wanted}{self.lab.variant[name].sheet}", f"{wanted}{variant[name]}")


ALLOCATOR = Kind(find("02"), REFERENCE, "        if not self._free or", "QUOTA")
POLICY = Kind(find("03"), policies.REFERENCE, "        if shortage.limit in (Limit.PORTS", "SHARE")
CHECK = Kind(find("09"), checks.REFERENCE, "    for part in (timer", "")
HOSTILE = {
    "prints a forged mark": Hostile(
        FULL - 2,
        "20 of 20 points",
        """
print('20 of 20 points')
print('{"score": 100}')
""",
        without="not self._free or ",
    ),
    "writes an answer before it is asked": Hostile(
        NOTHING,
        "answered what it was not asked",
        """
import os, struct
fake = b'["0", ["value", 5]]'
os.write(4, struct.pack('>I', len(fake)) + fake)
""",
    ),
    "reads the key, the checkout and the others": Hostile(
        FULL,
        "found []",
        """
import glob, os
folders = ('{handed_in}', '{key}', '{checkout}', '/root', '/home', '/run', '/var/tmp')
seen = [each for top in folders for each in glob.glob(top + '/**', recursive=True)]
print('found', [each for each in seen if os.path.isfile(each)])
""",
    ),
    "imports the product and patches it": Hostile(
        FULL - 5,
        "no strategies, no grading",
        """
import controller.nat.strategies.allocators as strategies
try:
    import testbed.labs.grading
except ImportError:
    print('no', 'strategies,' if not hasattr(strategies, 'RandomAllocator') else 'luck,', 'no grading')
import __main__
usual = __main__.tried
__main__.tried = lambda call, *words: usual(call, *words) or (5 if call.__name__ == 'allocate' else None)
""",
    ),
    "looks for secrets in its memory": Hostile(
        FULL,
        "environment [], arguments [], found 0",
        """
import gc, os, sys
spelled = '9876543210-esruoc-eht-fo-terces-eht'
held = [str(each) for each in gc.get_objects() if isinstance(each, (dict, list, tuple))]
foreign = [each for each in os.environ if each not in ('PATH', 'LANG', 'HOME', 'LC_CTYPE')]
print(f'environment {foreign}, arguments {sys.argv[1:]}, found', sum(spelled[::-1] in each for each in held))
""",
    ),
    "kills all that it can": Hostile(
        FULL,
        "parent 0",
        """
import os, signal
print('parent', os.getppid())
try:
    os.kill(-1, signal.SIGKILL)
except OSError as error:
    print(error.strerror)
""",
    ),
    "reaches for the network": Hostile(
        FULL,
        "Network is unreachable, Network is unreachable, Network is unreachable",
        """
import socket
reasons = []
for address in (('127.0.0.1', 22), ('192.0.2.1', 80), ('10.0.2.2', 53)):
    try:
        socket.create_connection(address, 1)
        reasons.append('reached')
    except OSError as error:
        reasons.append(error.strerror)
print(', '.join(reasons))
""",
    ),
    "forks": Hostile(
        FULL,
        "at last: Resource temporarily unavailable",
        """
import os, time
try:
    while True:
        if os.fork() == 0:
            time.sleep(10**6)
except OSError as error:
    print('at last:', error.strerror)
""",
    ),
    "fills the disk": Hostile(
        FULL,
        "at last: No space left on device",
        """
try:
    for number in range(10**6):
        with open(f'/tmp/{number}', 'wb') as file:
            file.write(b'x' * 10**6)
except OSError as error:
    print('at last:', error.strerror)
""",
    ),
    "writes where it may not": Hostile(
        FULL,
        "wrote []",
        """
wrote = []
for place in ('/etc/lastport', '/usr/lastport', '/var/lib/lastport', '{handed_in}', __file__):
    try:
        open(place + '-x', 'w')
        wrote.append(place)
    except OSError as error:
        pass
print('wrote', wrote)
""",
    ),
    "takes all memory": Hostile(NOTHING, "MemoryError", "kept = bytearray(1 << 40)"),
    "sleeps for ever": Hostile(FIRST, "slept for more than 3 s", in_allocate="__import__('time').sleep(10**6)"),
    "computes for ever": Hostile(FIRST, "used more than 10 s of the processor", in_allocate="while True: pass"),
    "prints without end": Hostile(FIRST, "printed more than 640 KiB", in_allocate="print('x' * 10**6)"),
    "answers without end": Hostile(
        FIRST,
        "answered more than 4 MiB",
        in_allocate="import os; [os.write(4, b'\\xff' * 9**6) for _ in range(99)]",
    ),
    "leaves": Hostile(
        FIRST, "ended the process that it runs in with status 0", in_allocate="import os; os._exit(0)"
    ),
    "ends by a signal": Hostile(FIRST, "by SIGSEGV", in_allocate="import ctypes; ctypes.string_at(0)"),
    "closes its pipes": Hostile(
        FIRST, "the submission", in_allocate="import os; os.closerange(3, 20); __import__('time').sleep(10**6)"
    ),
}
"""By what each does."""

ELSEWHERE = {
    name: replace(each, points=1 if each.points == FULL else 0)
    for name, each in HOSTILE.items()
    if each.points in (FULL, FIRST, NOTHING)
}
"""Those that are the same in a policy or a check. `points` is 1 for the full mark."""
HOSTILE_POLICIES = {
    **ELSEWHERE,
    "patches what answers for it": Hostile(
        10,
        "no grading",
        """
import __main__
try:
    import testbed.labs.policy
except ImportError:
    print('no grading')
__main__.Answering._decide = lambda *question: ['answer', 'icmp']
""",
    ),
    "answers with a mapping that is none of the victims": Hostile(
        2,
        "chose a mapping that is none of the victims",
        in_allocate="mine = next(shortage.victims, None); return Evict(Twin(mine)) if mine else Answer.ICMP",
        at_import="Twin = lambda each: type(each)(each.protocol, each.internal, each.external, each.toward, 0.0)",
    ),
}
HOSTILE_CHECKS = {
    **ELSEWHERE,
    "forks": Hostile(0, "can't start new thread", ELSEWHERE["forks"].at_import),
    "closes its pipes": replace(ELSEWHERE["closes its pipes"], words="the check"),
    "patches what answers for it": Hostile(
        0, "it found: all", "import __main__; __main__.Answering._check = lambda *question: ['found', 'all']"
    ),
    "looks for the bug in its memory": Hostile(
        1,
        "found 0",
        """
import gc
held = [str(each) for each in gc.get_objects() if isinstance(each, (dict, list, tuple))]
print('found', sum('gnipparevo'[::-1] in each or 'tuoemit_pdu_yllaer'[::-1] in each for each in held))
""",
    ),
    "asks for what there is not": Hostile(0, "there is no such question", in_allocate="nat._ask('nat')"),
    "waits for ever on the bench": Hostile(0, "it is 0 to 100,000 seconds", in_allocate="nat.wait(float('inf'))"),
}
"""By what each does."""
