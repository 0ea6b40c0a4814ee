"""A submission of lab 2 on the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.labs.grading import grade
from testbed.labs.lab import find
from testbed.labs.submission import Hidden
from testbed.labs.variants import Course
from tests.support.submissions import REFERENCE, wrong

LAB = find("02")
SECOND_FILL = "connections-of-a-second-fill-that-carry-data-no-port-was-lost"


@pytest.mark.deep
@pytest.mark.parametrize(
    ("source", "lost"),
    [
        (REFERENCE, set()),
        (wrong("keeps one port back"), {"established", SECOND_FILL}),
        (REFERENCE.replace("Allocator)", "Alocator)"), {*LAB.wire.requirements} if LAB.wire else set()),
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

    wire = [item for item in got.items if LAB.wire and item.requirement in LAB.wire.requirements]
    assert got.broke == ""
    assert len(wire) == 4
    assert {item.requirement for item in wire if not item.is_won} == lost, [item.sentence for item in wire]
