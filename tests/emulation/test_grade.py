"""Submissions on the wire: what is right gets the full mark, and what cheats or harms gets what it earns."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.labs.grading import grade
from testbed.labs.lab import find
from testbed.labs.starting import start
from testbed.labs.submission import Hidden
from testbed.labs.variants import Course
from tests.support import checks, policies
from tests.support.hostile_nats import HOSTILE_NATS
from tests.support.hostile_nats import REFERENCE as NAT
from tests.support.hostile_strategies import ALL, AS_POLICY, HOSTILE
from tests.support.paths import ROOT
from tests.support.processes import awaited, processes
from tests.support.submissions import REFERENCE, wrong

LAB = find("02")
WIRE = {name for part in LAB.wire for name in part.requirements}
SECOND_FILL = "connections-of-a-second-fill-that-carry-data-no-port-was-lost"
WRONG_NATS = re.findall(
    r"^\| [^|]*: (`\w+\.py`|the skeleton) \| (\d+) \| (.*) \|$",
    (ROOT / "docs/labs/answers/07-your-own-nat.md").read_text(),
    re.MULTILINE,
)
"""The table of the instructor's part of lab 7: the file, its points, and what it fails."""


@pytest.mark.deep
@pytest.mark.parametrize(
    ("source", "lost"),
    [
        (REFERENCE, set()),
        (wrong("keeps one port back"), {"established", SECOND_FILL}),
        (REFERENCE.replace("Allocator)", "Alocator)"), WIRE),
    ],
    ids=["reference", "keeps one port back", "cannot be imported"],
)
def test_the_second_rung_tries_the_same_file_with_real_packets(
    source: str, lost: set[str], tmp_path: Path
) -> None:
    """Each check of the run that has points is a requirement, won or lost."""
    file = tmp_path / "allocator.py"
    file.write_text(source)

    got = grade(LAB, file, Course(), None, Hidden.of(file), rungs=2)

    wire = [item for item in got.items if item.requirement in WIRE]
    assert got.broke == ""
    assert len(wire) == 4
    assert {item.requirement for item in wire if not item.is_won} == lost, [item.sentence for item in wire]


@pytest.fixture
def served() -> Iterator[Path]:
    """Make a folder that is in no home, and that everybody may read, as a course's may be."""
    folder = Path(tempfile.mkdtemp(prefix="lastport-test-", dir="/srv"))
    folder.chmod(0o755)
    (folder / "bob.py").write_text("SOLUTION = 1\n")
    yield folder
    names = {path.name for path in folder.iterdir()}
    shutil.rmtree(folder)
    assert names <= {"alice.py", "bob.py", "course.key"}


def require_end(*words: str, before: set[int]) -> None:
    """Require that processes with these words end that were not there before. Other tests have some as well."""

    def living() -> set[int]:
        table = processes().items()
        return {number for number, (_, command) in table if all(word in command for word in words)} - before

    left = living()
    awaited(lambda: not left & living(), "its processes to end")


@pytest.mark.deep
@pytest.mark.parametrize(
    ("lab", "files", "lost"),
    [
        ("03", {"policy.py": policies.REFERENCE}, set()),
        (
            "03",
            {
                "policy.py": policies.REFERENCE.replace(
                    "if most <= SHARE:\n            return Answer.ICMP",
                    "if most <= SHARE:\n            return Answer.NOTHING",
                )
            },
            {"icmp", "refused-by-icmp"},
        ),
        (
            "03",
            {"policy.py": policies.REFERENCE.replace("Answer.ICMP", "Answer.NOTHING")},
            {"quota-refused", "icmp", "no-more-than-share", "refused-by-icmp"},
        ),
        ("07", {"nat.py": NAT}, set()),
        (
            "07",
            {"nat": "#!/usr/bin/env python3\n" + (ROOT / "docs/examples/programs/packet_nat.py").read_text()},
            set(),
        ),
        ("09", {"check.py": checks.REFERENCE, "scenario.py": checks.SCENARIO}, set()),
        (
            "09",
            {
                "check.py": checks.REFERENCE,
                "scenario.py": checks.SCENARIO.replace("expected=quota", "expected=quota + 9"),
            },
            {"silent-on-the-wire", "found-on-the-wire"},
        ),
        ("09", {"check.py": checks.REFERENCE}, {"silent-on-the-wire", "found-on-the-wire"}),
    ],
    ids=[
        "policy",
        "a silent policy",
        "a policy that declares its silence",
        "app",
        "program",
        "scenario",
        "a scenario that is never silent",
        "no scenario",
    ],
)
def test_what_is_right_gets_the_full_mark_on_both_rungs(
    lab: str, files: dict[str, str], lost: set[str], tmp_path: Path
) -> None:
    """A mistake costs its own points, and packets come with no point that was won."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    file = tmp_path / next(iter(files))

    got = grade(find(lab), file, Course(), None, Hidden.of(file), rungs=2)

    assert got.broke == ""
    assert {item.requirement for item in got.items if not item.is_won} == lost, [
        item.sentence for item in got.items
    ]
    assert all(item.packets == b"" for item in got.items if item.is_won)


@pytest.mark.deep
@pytest.mark.parametrize(("what", "points", "fails"), WRONG_NATS, ids=[what.strip("`") for what, *_ in WRONG_NATS])
def test_a_wrong_nat_gets_the_points_of_the_instructor_s_table(
    what: str, points: str, fails: str, tmp_path: Path
) -> None:
    """And loses no others, however it passes no pings: that is no packet that the machine has lost."""
    lab = find("07")
    file = ROOT / "docs/examples/apps" / what.strip("`")
    if what == "the skeleton":
        file = start(lab, Course().variant(lab, None), None, tmp_path) / "nat.py"

    got = grade(lab, file, Course(), None, Hidden.of(file))

    lost = {item.requirement for item in got.items if not item.is_won}
    everything = {item.requirement for item in got.items}
    assert got.broke == ""
    assert lost == (everything if fails == "everything" else set(re.findall(r"`(.+?)`", fails))), got.said
    assert got.score == int(points)


@pytest.mark.deep
@pytest.mark.parametrize("name", HOSTILE_NATS)
def test_a_nat_that_cheats_or_harms_gets_what_its_packets_earn(name: str, served: Path) -> None:
    """It learns nothing of the others, changes nothing, and leaves no process."""
    hostile, lab = HOSTILE_NATS[name], find("07")
    lab = lab.model_copy(update={"wire": lab.wire[:1]})
    key = served / "course.key"
    key.write_text("SECRET" * 8)
    key.chmod(0o600)
    file = served / "alice.py"
    file.write_text(hostile.source(handed_in=str(served), key=str(key), checkout=str(ROOT)))
    before = set(processes())

    got = grade(lab, file, Course(b"SECRET" * 8, key), "alice", Hidden.of(file, key))

    reasons = "\n".join(item.seen for item in got.items if not item.is_won)
    assert (got.score, bool(got.broke)) == (hostile.points, hostile.breaks), got.said + reasons
    assert hostile.words in got.said + reasons
    assert "SECRETSECRET" not in got.said + reasons
    require_end("process.app", "submission", before=before)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("kind", "name"), [*(("allocator", name) for name in HOSTILE), *(("policy", name) for name in AS_POLICY)]
)
def test_an_allocator_or_a_policy_that_cheats_or_harms_gets_what_its_ports_earn(
    kind: str, name: str, served: Path
) -> None:
    """The process that judges never has its code, and the process that has it reaches no other."""
    hostile, lab = HOSTILE[name], find("02" if kind == "allocator" else "03")
    lab = lab.model_copy(update={"requirements": {}})
    key = served / "course.key"
    key.write_text("SECRET" * 8)
    file = served / "alice.py"
    file.write_text(hostile.source(kind))
    before = set(processes())

    got = grade(lab, file, Course(b"SECRET" * 8, key), "alice", Hidden.of(file, key))

    reasons = "\n".join(item.sentence for item in got.items if not item.is_won)
    points = ALL["policy"] if kind == "policy" and hostile.points else hostile.points
    assert (got.score, bool(got.broke)) == (points, hostile.breaks), got.said + reasons + got.broke
    assert hostile.words in got.said + reasons + got.broke
    require_end("controller", str(ROOT), before=before)
