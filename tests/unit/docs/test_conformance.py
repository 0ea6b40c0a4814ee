"""The table of requirements: complete, true of the code, and with every MUST met."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from docs.generate import requirements
from tests.support.paths import ROOT

EXPECTED = {
    "RFC 4787 (UDP)": "1 2 3 3A 4 5 5A 5B 5C 6 6A 7 8 8A 9 9A 10 10A 11 12 12A 12B 13 13A 14 14A",
    "RFC 5382 (TCP)": "1 2 2A 3 3A 3B 4 4A 5 5A 6 7 8 8A 9 10",
    "RFC 5508 (ICMP)": "1 1A 2 2A 3 3A 3B 3C 3D 4 5 6 7 7A 8 9 10A 10B 10C 10D 10E 10F 11",
    "RFC 6888 (carrier NAT)": "1 2 3 4 4A 4B 4C 5 6 7 8 9 10 11A 11B 11C 11D 12 13 14 15",
    "RFC 7857 (updates)": "2 2.1 2.2 3 4 5 6 7 7.1 8 9 10 11 12",
}
"""The requirements of each RFC, by their numbers; RFC 7857 has sections instead."""
MUSTS_THAT_ARE_MISSING = ["RFC 6888 (carrier NAT) REQ-9"]

ROWS = {f"{rfc} {row['req']}": row for rfc, rows in requirements().items() for row in rows}
each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def names_in(file: str) -> set[str]:
    """Return what a Python file defines, with the members of its classes."""
    found: set[str] = set()

    def gather(body: list[ast.stmt], prefix: str) -> None:
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                found.add(prefix + statement.name)
            if isinstance(statement, ast.ClassDef):
                gather(statement.body, f"{prefix}{statement.name}.")
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
            found.update(
                prefix + name.id for target in targets for name in ast.walk(target) if type(name) is ast.Name
            )

    path = ROOT / file
    gather(ast.parse(path.read_text()).body if path.is_file() else [], "")
    return found


def lacking(row: dict[str, Any]) -> list[str]:
    """Return the places and tests that a row names, and that do not exist."""
    places = [(*place.split(": "), place) for place in row["where"]]
    tests = [(*f"tests/{test}".split("::"), test) for test in row["tests"]]
    return [written for file, name, written in [*places, *tests] if name not in names_in(file)]


def test_every_requirement_is_there_once_and_in_order() -> None:
    """None is forgotten, none is invented."""
    kind = {rfc: "section " if "7857" in rfc else "REQ-" for rfc in EXPECTED}

    assert {rfc: [row["req"] for row in rows] for rfc, rows in requirements().items()} == {
        rfc: [kind[rfc] + number for number in numbers.split()] for rfc, numbers in EXPECTED.items()
    }


@each_row
def test_what_a_row_names_exists(row: dict[str, Any]) -> None:
    """Each file with what is in it, and each test."""
    assert lacking(row) == []


@each_row
def test_what_is_met_is_enforced_somewhere_and_tested(row: dict[str, Any]) -> None:
    """What is not met has a reason; so has what needs no code."""
    assert row["level"] in ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED", "MAY")
    assert row.get("met", "yes") in ("yes", "deviation", "missing")
    if row.get("met", "yes") != "yes" or not row["where"]:
        assert row["why"]
    else:
        assert row["tests"]


def test_every_must_is_met_but_the_one_that_is_said_to_be_missing() -> None:
    """RFC 6888 REQ-9 asks for PCP."""
    unmet = [
        name for name, row in ROWS.items() if row["level"].startswith("MUST") and row.get("met", "yes") != "yes"
    ]

    assert unmet == MUSTS_THAT_ARE_MISSING
