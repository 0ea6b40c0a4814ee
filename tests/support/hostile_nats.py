"""Whole NATs that cheat or harm: the example that is green, with code that is none of its business."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.paths import ROOT

REFERENCE = (ROOT / "docs/examples/apps/whole_nat.py").read_text()
BEGIN = '        data, port = event.msg.data, event.msg.match["in_port"]\n'
ALL = 5
"""The points of the run of lab 7 that each is tried in."""


@dataclass(frozen=True, slots=True)
class HostileNat:
    """The points that it gets, words that show why, and what it executes at import and for each packet.

    The words are in what it prints, or in the reason of the points that are lost.
    """

    points: int
    words: str
    at_import: str = ""
    for_packets: str = ""
    breaks: bool = False
    """Whether its run breaks, so that it has to be graded again."""

    def source(self, **places: str) -> str:
        """Return the application."""
        assert BEGIN in REFERENCE
        source = REFERENCE.replace(BEGIN, f"        {self.for_packets or 'pass'}\n{BEGIN}")
        code = self.at_import
        for name, place in places.items():
            code = code.replace(f"{{{name}}}", place)
        return f"{source}\n\n{code}"


HOSTILE_NATS = {
    "prints a forged mark": HostileNat(
        ALL, "22 of 22 points", "print('22 of 22 points')\nprint('{\"score\": 100}')"
    ),
    "reads the key and the others": HostileNat(
        ALL,
        "found []",
        """
import glob, os
folders = ('{handed_in}', '{key}', '/root', '/home', '/var/tmp', '/tmp')
seen = [each for top in folders for each in glob.glob(top + '/**', recursive=True) if 'submission' not in each]
seen = [each for each in seen if os.path.isfile(each) and not each.startswith('{checkout}')]
print('found', [each for each in seen if 'lastport/environments' not in each])
""",
    ),
    "looks for secrets in its environment": HostileNat(
        ALL,
        "foreign []",
        """
import os
with open('/proc/self/environ') as file:
    words = file.read() + ' '.join(os.environ)
print('foreign', [each for each in ('{key}', '{handed_in}', 'SECRET') if each in words])
""",
    ),
    "writes where it may not": HostileNat(
        ALL,
        "wrote []",
        """
wrote = []
for place in ('/etc/lastport', '/usr/lastport', '/var/lib/lastport', '{handed_in}/results', '{checkout}/results'):
    try:
        open(place + '-x', 'w')
        wrote.append(place)
    except OSError as error:
        pass
print('wrote', wrote)
""",
    ),
    "looks into the run's processes": HostileNat(
        ALL,
        "entered []",
        """
import os
entered = []
for process in filter(str.isdigit, os.listdir('/proc')):
    if int(process) != os.getpid():
        for part in ('mem', 'environ', 'fd/1', 'fd/3'):
            try:
                open(f'/proc/{process}/{part}', 'rb').close()
                entered.append((process, part))
            except OSError:
                pass
print('entered', entered)
""",
    ),
    "imports the product and patches it": HostileNat(
        ALL,
        "patched",
        """
import sys
sys.path.insert(0, '{checkout}')
import testbed.evidence.outcomes, testbed.experiment.expectations
testbed.experiment.expectations.met = lambda *values: True
testbed.evidence.outcomes.outcomes = lambda *values, **more: {}
print('patched')
""",
    ),
    "reaches for the host's network": HostileNat(
        ALL,
        "reached []",
        """
import socket
reached = []
for address in (('127.0.0.1', 22), ('192.168.0.1', 80), ('10.0.2.2', 53), ('8.8.8.8', 53)):
    try:
        socket.create_connection(address, 1)
        reached.append(address)
    except OSError as error:
        pass
print('reached', reached)
""",
    ),
    "fills the disk": HostileNat(
        ALL,
        "at last: No space left on device",
        """
try:
    for number in range(10**3):
        with open(f'/tmp/{number}', 'wb') as file:
            file.write(b'x' * 10**6)
except OSError as error:
    print('at last:', error.strerror)
""",
    ),
    "prints without end": HostileNat(
        ALL, "xxxx", "try:\n    while True:\n        print('x' * 10**6)\nexcept OSError:\n    pass"
    ),
    "forks": HostileNat(
        0,
        "",
        """
import os, time
try:
    while True:
        if os.fork() == 0:
            time.sleep(10**6)
except OSError as error:
    print('at last:', error.strerror)
""",
        breaks=True,
    ),
    "kills all that it can": HostileNat(0, "the run broke", for_packets="import os; os.kill(-1, 9)", breaks=True),
    "sleeps for ever": HostileNat(0, "does not listen", "import time; time.sleep(10**6)"),
    "computes for ever": HostileNat(0, "", for_packets="while True: pass"),
    "leaves": HostileNat(0, "ended with status 0", "import os; os._exit(0)"),
    "leaves in the middle": HostileNat(0, "ended with status 7", for_packets="import os; os._exit(7)"),
}
"""By what each does."""
