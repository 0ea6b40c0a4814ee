"""The labs that are marked by numbers: what is right, what five wrong ones get, and each student's numbers."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from testbed.labs import predictions
from testbed.labs.grading import Mark, mark
from testbed.labs.lab import Lab, find, numbers
from testbed.labs.reckoned import carriers_nat, how_full, out_of_ports, timers, two_nats, your_router
from testbed.labs.sheets import own
from testbed.labs.submission import Hidden
from testbed.labs.variants import Course, Variant
from tests.support.sheets import LABS, steps, worked_through
from tests.unit.docs.test_sheets import of_lastport, require_possible

MODULES = (out_of_ports, how_full, timers, two_nats, your_router, carriers_nat)
MARKED = [lab for lab in map(find, numbers()) if lab.submission == "predictions"]
COURSE = Course(b"the secret of a course")
ROW = re.compile(r"^\| (`[a-z0-9-]+:.*`) \| (\d+) \| (.*?) \| .* \|$", re.MULTILINE)
EFFORT: dict[str, Callable[[Variant], float]] = {
    "01": lambda _: 1,
    "04": lambda of: of["ports"] + of["small"] + 20 * of["erlangs"],
    "05": lambda of: of["pool"] + of["reused"],
    "06": lambda of: of["home"] + of["carrier"],
    "08": lambda of: of["attempts"] + of["ports"],
    "10": lambda of: of["subscribers"] + of["erlangs"],
}
"""What a student's numbers make a lab's runs larger by: connections, and a simulation's load."""

each_lab = pytest.mark.parametrize("lab", MARKED, ids=lambda lab: lab.number)


def answers(lab: Lab, suffix: str) -> Path:
    """Return a file of the instructor's part."""
    return LABS / "answers" / lab.sheet.with_suffix(suffix).name


def marked(lab: Lab, text: str, folder: Path) -> Mark:
    """Mark numbers as somebody hands them in."""
    file = folder / "predictions.yaml"
    file.write_text(text)
    return mark(lab, file, Course().variant(lab, None), [0], "", Hidden())


def test_no_two_labs_share_the_name_of_a_requirement() -> None:
    """They are found by their names alone."""
    names = Counter(itertools.chain(*(module.EXPECTED for module in MODULES)))

    assert names.most_common(1)[0][1] == 1
    assert set(names) == set(predictions.EXPECTED)


@each_lab
def test_the_instructors_numbers_get_the_full_mark(lab: Lab, tmp_path: Path) -> None:
    """With the sheet's own numbers."""
    got = marked(lab, answers(lab, ".yaml").read_text(), tmp_path)

    assert [item.sentence for item in got.items if not item.is_won] == []
    assert got.score == 10


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("one-port-one-service: 64", None),
        ("one-port-one-service: 64.0", None),
        ("one-port-one-service: 2,133", "2133"),
        ("one-port-one-service: 21,33", "'21,33', which is no whole number"),
        ('one-port-one-service: "1' + ",000" * 9000 + '"', "'1" + ",000" * 9 + ",00', which is no whole number"),
        ("one-port-one-service: about 5", "'about 5', which is no whole number"),
        ("one-port-one-service: 63.5", "63.5, which is no whole number"),
        ("one-port-one-service: .inf", "inf, which is no whole number"),
        ("one-port-one-service: [64]", "something, which is no whole number"),
        ('one-port-one-service: "\\e[31m64"', "'\\x1b[31m64', which is no whole number"),
        ("one-port-one-service:", "nothing was written"),
        ("greedy-with-quota: 8", "there is no line `one-port-one-service: ...`"),
        ("My answer is: 64", "the file has none of the lines that were asked for"),
    ],
)
def test_a_number_counts_as_it_was_written_or_is_repeated(text: str, seen: str | None, tmp_path: Path) -> None:
    """Runs print thousands with a comma, and a student who copies one has the right number."""
    items = {item.requirement: item for item in marked(find("01"), text, tmp_path).items}

    assert items["one-port-one-service"].is_won == (seen is None)
    assert items["one-port-one-service"].seen == (seen or "64")


@each_lab
def test_five_wrong_ones_get_the_points_and_the_sentences_of_the_table(lab: Lab, tmp_path: Path) -> None:
    """Each row of the instructor's part changes some of the right numbers."""
    right = answers(lab, ".yaml").read_text()
    rows = ROW.findall(answers(lab, ".md").read_text())

    assert len(rows) >= 5
    for changes, points, words in rows:
        text = right
        for name, value in re.findall(r"`([a-z0-9-]+):\s*(.*?)`", changes):
            text, count = re.subn(rf"^{name}: .*$", f"{name}: {value}", text, flags=re.MULTILINE)
            assert count == 1, name
        got = marked(lab, text, tmp_path)
        lost = [f"Seen: {item.seen}. Expected: {item.expected}." for item in got.items if not item.is_won]
        assert (got.score, " ".join(lost)) == (int(points), words)


@each_lab
def test_each_of_a_thousand_students_has_numbers_with_one_right_set(lab: Lab, tmp_path: Path) -> None:
    """What the formula says gets the full mark, and all labs are about as large: by a tenth at most."""
    efforts = []
    for number in range(1000):
        variant = COURSE.variant(lab, f"student {number}")
        right = {name: predictions.EXPECTED[name](variant) for name in lab.requirements}
        assert all(len(expected) > 0 and expected[0] >= 0 for expected in right.values()), variant
        found = {name: expected[len(expected) // 2] for name, expected in right.items()}
        assert all(predictions.compared(found, variant, name) for name in found)
        efforts.append(EFFORT[lab.number](variant))

    assert max(efforts) <= 1.1 * min(efforts)


@each_lab
def test_the_commands_of_the_sheet_are_possible_with_the_numbers_of_every_student(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least and the most of each number, in all combinations."""
    monkeypatch.chdir(LABS.parents[1])
    common = {step.command for step in worked_through(lab.sheet) if step.status != 2}
    every = itertools.product(*((number.least, number.most) for number in lab.variant.values()))
    tried = set[str]()
    for values in every:
        variant = dict(zip(lab.variant, values, strict=True))
        theirs = steps(lab.sheet, partial(own, lab, variant))
        printed = [(usual.command, its.command) for usual, its in zip(steps(lab.sheet), theirs, strict=True)]
        tried |= {its for usual, its in printed if usual in common and its != usual}

    assert tried
    for command in sorted(tried):
        for words in of_lastport(command) if "$" not in command else ():
            require_possible(words)


@each_lab
def test_a_hint_does_not_have_the_number_that_is_right(lab: Lab) -> None:
    """It leads there."""
    variant = Course().variant(lab, None)
    for name, requirement in lab.requirements.items():
        found = {int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", requirement.hint)}
        assert not found & {*predictions.EXPECTED[name](variant)}, name
