"""The second rung without a run: a submission's place in a command, what checks earn, and packets."""

from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.labs import wire
from testbed.labs.blame import Cause, cause
from testbed.labs.classes import handed_in
from testbed.labs.grading import Item, Mark, _met
from testbed.labs.lab import Wire, find, read
from testbed.labs.packets import SECOND_NS, sliced
from testbed.labs.pages import Pages
from testbed.labs.trial import WrongError
from testbed.labs.variants import Course
from testbed.run.folder import CAPTURES
from testbed.sandbox.enter import MachineError
from testbed.traffic import pcapng
from tests.support.paths import ROOT

ANY = {"points": 2, "source": "a test", "asks": "It holds.", "hint": "Hold."}


def part(**told: object) -> Wire:
    """Return a run with one requirement."""
    return Wire.model_validate({"scenario": "port-exhaustion", "requirements": {"whole": ANY}, **told})


def ran(**ok: bool) -> wire.Ran:
    """Return a run whose checks hold, or not."""
    return wire.Ran(
        {
            key: {"key": key, "claim": f"{key}!", "ok": holds, "observed": 1, "expected": 2}
            for key, holds in ok.items()
        }
    )


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("allocator", "", ["--allocator", "FILE"]),
        ("policy", "", ["--set", "on_exhaustion=FILE"]),
        ("nat", "import ryu\n", ["--gateway", "app", "--set", "app=FILE"]),
        ("nat", "#!/bin/sh\n", ["--gateway", "program", "--set", "program='FILE {inside} {outside}'"]),
        ("nat", "\x7fELF", ["--gateway", "program", "--set", "program='FILE {inside} {outside}'"]),
    ],
)
def test_a_submission_takes_the_place_that_its_kind_has_in_a_run(
    kind: str, content: str, words: list[str], tmp_path: Path
) -> None:
    """A NAT is a program if the system could start it."""
    file = tmp_path / "handed-in"
    file.write_text(content)

    assert wire._as(kind, file) == [word.replace("FILE", str(file)) for word in words]


def test_a_setting_has_the_students_own_number() -> None:
    """In braces, with the name as the sheet has it."""
    variant = {"ports": 48, "close-timeout": 3}

    assert wire._set("ports", "{ports}", variant) == "ports=48"
    assert wire._set("tcp_trans_close_timeout", "{close_timeout}", variant) == "tcp_trans_close_timeout=3"
    assert wire._set("clients", 8, variant) == "clients=8"


@pytest.mark.parametrize(
    ("checks", "found", "expected"),
    [
        ([], ran(whole=True), (True, "1", "")),
        (["one", "two"], ran(one=True, two=True), (True, "1, 1", "")),
        (["one", "two"], ran(one=True, two=False), (False, "1", "2")),
        (["one", "two"], ran(one=True), (False, "the run did not make this check", "a run to its end")),
    ],
)
def test_a_requirement_is_met_if_all_its_checks_hold(
    checks: list[str], found: wire.Ran, expected: tuple[bool, str, str]
) -> None:
    """A check that was not made does not hold."""
    assert wire.judged(part(requirements={"whole": {**ANY, "checks": checks}}), "whole", found, {}) == expected


def test_a_submission_that_declares_less_than_is_asked_for_is_measured_by_that() -> None:
    """What a check expects depends on it, as with an allocator's length."""
    asked = part(requirements={"whole": {**ANY, "expects": 3}})

    assert wire.judged(asked, "whole", ran(whole=True), {}) == (False, "it declares 2", "3")
    assert wire.judged(part(requirements={"whole": {**ANY, "expects": 2}}), "whole", ran(whole=True), {})[0]


@pytest.mark.parametrize(
    ("outcomes", "refused", "is_met", "seen"),
    [
        ({"established": 64, "timeout": 0, "icmp": 8}, 8, True, "8"),
        ({"established": 64, "timeout": 8, "icmp": 0}, 8, False, "64 established, 8 timeout"),
        ({"established": 64, "timeout": 1, "icmp": 7}, 8, False, "64 established, 1 timeout, 7 icmp"),
        ({"established": 72, "timeout": 0, "icmp": 0}, 0, False, "72 established"),
        ({}, 0, False, "no attempt"),
    ],
)
def test_a_submission_that_declares_how_it_refuses_is_measured_by_how_the_attempts_ended(
    outcomes: dict[str, int], refused: int, is_met: bool, seen: str
) -> None:
    """Silence that is declared is as good as any answer to the run's own check, which follows what is declared."""
    (asked,) = [each for each in find("03").wire if "refused-by-icmp" in each.requirements]
    check = {"key": "refused", "claim": "!", "ok": True, "observed": refused, "expected": refused}
    expected = "" if is_met else "that each attempt which is refused ends by icmp"

    got = wire.judged(asked, "refused-by-icmp", wire.Ran({"refused": check}, outcomes), {})

    assert got == (is_met, seen, expected)


def test_what_became_of_the_attempts_comes_from_the_run(tmp_path: Path) -> None:
    """As its checks do."""
    passed = ended(0, verdict="pass", checks=[], outcomes={"icmp": 8})

    assert wire._told(passed, part(), tmp_path, "/tmp", "policy").outcomes == {"icmp": 8}


def test_a_requirement_is_lost_without_the_one_that_comes_before() -> None:
    """A NAT that passes no packet shares no port, which earns nothing."""
    apart = part(requirements={"apart": {**ANY, "after": "tcp"}})

    assert _met(apart, "apart", ran(apart=True), {}, "", {"tcp"}) == "1"
    with pytest.raises(WrongError, match="tcp is not met, so this shows nothing; expected tcp first"):
        _met(apart, "apart", ran(apart=True), {}, "", {"arp"})


@pytest.mark.parametrize(
    ("finds", "found", "silent", "is_met"),
    [
        ("nothing", ran(mine=True), True, True),
        ("nothing", ran(mine=False), True, False),
        ("the-bug", ran(mine=False), True, True),
        ("the-bug", ran(mine=True), True, False),
        ("the-bug", ran(mine=False), False, False),
        ("the-bug", ran(mine=True, leaks=False), True, False),
    ],
)
def test_a_students_own_scenario_is_judged_by_its_own_checks(
    finds: str, found: wire.Ran, silent: bool, is_met: bool
) -> None:
    """Checks that follow every scenario are none of its own, and one that blames an honest NAT finds nothing."""
    own = part(scenario="", file="scenario.py", finds=finds)

    assert wire.judged(own, "whole", found, {"scenario.py": silent})[0] is is_met


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"file": "scenario.py"}, "a run has either scenario: NAME or file: NAME.py"),
        ({"scenario": "", "file": "scenario.py"}, "finds: nothing or the-bug belongs to file: NAME.py"),
        (
            {"scenario": "", "file": "s.py", "finds": "nothing", "requirements": {"a": ANY, "b": ANY}},
            "has one requirement",
        ),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(told: dict[str, object], reason: str) -> None:
    """With what belongs there."""
    with pytest.raises(ValueError, match=reason):
        part(**told)


def test_a_requirement_after_one_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """A slip of the pen would give a point away."""
    text = (ROOT / "docs/labs/marks/07-your-own-nat.yaml").read_text()
    file = tmp_path / "07-your-own-nat.yaml"
    file.write_text(text.replace("after: tcp", "after: tpc", 1))

    with pytest.raises(ConfigurationError, match="after=tpc"):
        read(file)


def ended(status: int, *, said: str = "", **told: object) -> subprocess.CompletedProcess[bytes]:
    """Return a run that has ended, with what it printed."""
    return subprocess.CompletedProcess([], status, json.dumps(told).encode() if told else b"", said.encode())


def test_a_run_that_the_submission_ended_costs_its_points_and_any_other_is_to_be_repeated(tmp_path: Path) -> None:
    """Only where the run itself names the submission's process as the one that ended."""
    reason = "the app submission.py has ended"
    died = ended(4, verdict="error", checks=[], error=reason, last_words="Traceback\n  of it")
    killed = ended(4, verdict="error", checks=[], error="the runner was ended by SIGKILL")

    assert (
        wire._told(died, part(), tmp_path, "/tmp", "nat").why == "the app submission.py has ended: Traceback of it"
    )
    with pytest.raises(wire.BrokeError, match="the runner was ended by SIGKILL"):
        wire._told(killed, part(), tmp_path, "/tmp", "nat")
    with pytest.raises(wire.RefusedError, match=r"submission\.py has no class"):
        wire._told(ended(2, said="lastport: /tmp/x/submission.py has no class"), part(), tmp_path, "/tmp/x", "nat")
    with pytest.raises(MachineError, match="needs root"):
        wire._told(ended(3, said="lastport: it needs root"), part(), tmp_path, "/tmp", "nat")


def test_an_allocator_is_the_cause_if_the_controller_ended_and_a_students_own_scenario_is_not(
    tmp_path: Path,
) -> None:
    """A scenario is not in that process."""
    died = ended(4, verdict="error", checks=[], error="gateway's controller ended with status 1")

    for kind in ("allocator", "policy"):
        assert wire._told(died, part(), tmp_path, "/tmp", kind).why == "gateway's controller ended with status 1"
    for kind in ("nat", "check"):
        with pytest.raises(wire.BrokeError, match="controller ended with status 1"):
            wire._told(died, part(), tmp_path, "/tmp", kind)


@pytest.mark.parametrize(
    ("kind", "reason", "of"),
    [
        ("allocator", "gateway's controller ended with status 1", Cause.SUBMISSION),
        ("policy", "gateway's controller was killed by SIGSEGV", Cause.SUBMISSION),
        ("policy", "gateway's controller was stopped by a signal, and did not go on", Cause.SUBMISSION),
        ("allocator", "gateway's controller has closed its telemetry: MemoryError", Cause.SUBMISSION),
        ("allocator", "gateway's controller sent gauges of another shape: KeyError", Cause.SUBMISSION),
        ("allocator", "gateway's controller was killed by SIGKILL", Cause.EITHER),
        ("allocator", "gateway's controller did not answer within 30 s", Cause.UNKNOWN),
        ("policy", "gateway's controller was not ready within 60 s", Cause.UNKNOWN),
        ("policy", "gateway's controller did not listen within 60 s", Cause.UNKNOWN),
        ("allocator", "the app x.py has ended", Cause.UNKNOWN),
        ("nat", "the app submission.py has ended", Cause.SUBMISSION),
        ("nat", "the program /tmp/x/submission {inside} {outside} ended with status 7", Cause.SUBMISSION),
        ("nat", "the app submission.py was killed by SIGKILL", Cause.EITHER),
        ("nat", "the app submission.py does not listen at 127.0.0.1:6653, where", Cause.EITHER),
        ("nat", "the app submission.py did not accept the switch in 20 s: they", Cause.EITHER),
        ("nat", "gateway's controller ended with status 1", Cause.UNKNOWN),
        ("check", "gateway's controller ended with status 1", Cause.UNKNOWN),
    ],
)
def test_the_cause_is_a_submission_whose_process_ended_and_never_a_machine_that_is_late(
    kind: str, reason: str, of: Cause
) -> None:
    """Where it could be either, a second run decides."""
    assert cause(kind, reason) is of


def test_a_limit_of_time_of_a_controller_is_a_run_to_repeat(tmp_path: Path) -> None:
    """And a kill is one that a second run decides."""
    late = ended(4, verdict="error", checks=[], error="gateway's controller did not answer within 30 s")
    killed = ended(4, verdict="error", checks=[], error="gateway's controller was killed by SIGKILL")

    with pytest.raises(wire.BrokeError, match="did not answer within 30 s"):
        wire._told(late, part(), tmp_path, "/tmp", "allocator")
    assert not wire._told(killed, part(), tmp_path, "/tmp", "allocator").is_certain


@pytest.mark.parametrize(
    ("tries", "result"),
    [
        ([wire.Ran(why="it ended")], "it ended"),
        (["late", wire.Ran()], ""),
        ([wire.Ran(why="killed", is_certain=False), wire.Ran()], ""),
        ([wire.Ran(why="killed", is_certain=False)] * 2, "killed"),
        ([wire.Ran(why="killed", is_certain=False), "late"], "late"),
        (["late", wire.Ran(why="killed", is_certain=False)], "late"),
        (["late", "later"], "later"),
    ],
)
def test_a_submission_is_blamed_for_what_a_machine_may_cause_only_if_it_comes_twice(
    tries: list[wire.Ran | str], result: str
) -> None:
    """A run that came to its end counts, whatever came before."""
    left = iter(tries)

    def trying() -> wire.Ran:
        if isinstance(each := next(left), str):
            raise wire.BrokeError(each)
        return each

    if isinstance(tries[-1], str) or (result and isinstance(tries[0], str)):
        with pytest.raises(wire.BrokeError, match=f"^{result}$"):
            wire.settled(trying)
    else:
        assert wire.settled(trying).why == result
    assert not [*left]


def test_the_folders_of_the_others_are_covered_and_those_that_a_run_needs_are_not(tmp_path: Path) -> None:
    """Not even if the instructor works in the checkout, or above it."""
    covered = wire._coverable([tmp_path, ROOT, ROOT.parent, Path("/")])

    assert [*covered] == [tmp_path]


def test_the_packets_of_a_second_come_from_both_sides_in_their_order(tmp_path: Path) -> None:
    """Each with the host and the side at which it was seen."""
    begins = 100 * SECOND_NS
    for side, times in {
        "inside": (begins - SECOND_NS, begins + 5, begins + SECOND_NS),
        "outside": (begins + 1, begins + 9),
    }.items():
        frames = b"".join(pcapng.packet(0, at, 60, f"{side} {at - begins}".encode()) for at in times)
        (tmp_path / CAPTURES[side]).write_bytes(pcapng.head([f"host-{side}"], 64) + frames)

    kept = sliced(tmp_path, begins)

    frames = [
        pcapng.packet(*each)
        for each in (
            (1, begins + 1, 60, b"outside 1"),
            (0, begins + 5, 60, b"inside 5"),
            (1, begins + 9, 60, b"outside 9"),
        )
    ]
    assert kept == pcapng.head(["host-inside (inside)", "host-outside (outside)"], 65535) + b"".join(frames)
    assert sliced(tmp_path, begins - 5 * SECOND_NS) == b""


def test_packets_are_files_beside_the_page_that_leads_to_them(tmp_path: Path) -> None:
    """Named after the student and the requirement."""
    item = Item("all-ports", 0, 2, "32", "64", "Every port is used.", "RFC 6888", "Look.", packets=b"frames")
    mark = Mark(find("07"), "alice", Course().variant(find("07"), None), (item,))

    unkept = Pages(tmp_path / "marks").keep([mark])

    assert not any(unkept)
    assert (tmp_path / "marks/students/alice-all-ports.pcapng").read_bytes() == b"frames"
    assert 'href="alice-all-ports.pcapng"' in (tmp_path / "marks/students/alice.html").read_text()


def test_the_points_in_the_instructors_part_of_lab_7_are_those_of_the_marks() -> None:
    """Each row of its table has what is left without the requirements that it names."""
    lab = find("07")
    page = (ROOT / "docs/labs/answers/07-your-own-nat.md").read_text()
    rows = re.findall(r"^\| .+? \| (\d+) \| (.+) \|$", page, re.MULTILINE)

    assert len(rows) == 5
    for points, names in rows:
        failed = re.findall("`(.+?)`", names) or [*lab.of_the_wire]
        assert int(points) == lab.points - sum(lab.of_the_wire[name].points for name in failed)


def test_every_nat_of_lab_7_takes_about_as_many_connections() -> None:
    """A run attempts a quarter more than there are ports, which differs by a tenth at most."""
    attempts = [math.ceil(ports * 1.25) for ports in find("07").variant["ports"].values()]

    assert max(attempts) <= 1.1 * min(attempts)


def test_a_nat_is_handed_in_as_an_app_or_as_a_program(tmp_path: Path) -> None:
    """With and without a suffix, in a folder and by itself."""
    for name in ("alice/nat.py", "alice/helper.py", "bob/nat", "carol.py", "dave", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")

    found = {student: [file.name for file in files] for student, files in handed_in(find("07"), tmp_path).items()}

    assert found == {"alice": ["nat.py"], "bob": ["nat"], "carol": ["carol.py"], "dave": ["dave"]}
