"""Marks for other programs: JSON of our own, Gradescope's `results.json`, JUnit's XML, and a table as CSV."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from testbed.labs.grading import Item, Mark
from testbed.report.junit import xml_text

SCHEMA = 1
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet would compute."""


def as_object(mark: Mark) -> dict[str, Any]:
    """Return a mark as `lastport grade --json` prints it."""
    return {
        "schema": SCHEMA,
        "lab": mark.lab.number,
        "student": mark.student,
        "variant": dict(mark.variant),
        "score": mark.score,
        "of": mark.of,
        "items": [
            {
                "requirement": item.requirement,
                "points": item.points,
                "of": item.of,
                "seen": item.seen,
                "expected": item.expected or item.seen,
                "asks": item.asks,
                "source": item.source,
                "calls": list(item.calls),
                **({"packets": mark.capture(item)} if item.packets else {}),
            }
            for item in mark.items
        ],
    }


def gradescope(mark: Mark) -> dict[str, Any]:
    """Return a mark as Gradescope's autograders write it to `results.json`."""
    tests = [
        {
            "name": item.requirement,
            "number": str(number),
            "score": item.points,
            "max_score": item.of,
            "status": "passed" if item.is_won else "failed",
            "output": _words(item),
            "visibility": "visible",
        }
        for number, item in enumerate(mark.items, start=1)
    ]
    return {"score": mark.score, "output": mark.lab.title, "visibility": "visible", "tests": tests}


def junit(marks: Sequence[Mark]) -> str:
    """Return marks as JUnit's XML: a suite for each student, and in it a case for each requirement."""
    suites = ET.Element("testsuites")
    for each in marks:
        lost = sum(not item.is_won for item in each.items)
        name = f"lab {each.lab.number} of {each.student or 'a student'}"
        counts = {"tests": str(len(each.items)), "failures": str(lost), "errors": "0", "skipped": "0"}
        suite = ET.SubElement(suites, "testsuite", {"name": xml_text(name), **counts})
        for item in each.items:
            case = ET.SubElement(
                suite,
                "testcase",
                {"name": item.requirement, "classname": f"lastport.lab{each.lab.number}", "time": "0"},
            )
            if not item.is_won:
                message = xml_text(f"expected {item.expected}, seen: {item.seen}")
                ET.SubElement(case, "failure", {"type": item.requirement, "message": message}).text = xml_text(
                    _words(item)
                )
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def table(marks: Sequence[Mark]) -> str:
    """Return marks of one lab as CSV: a line for each student, a column for each requirement."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [item.requirement for item in marks[0].items] if marks else []
    writer.writerow(["student", "score", "of", *names])
    for each in marks:
        writer.writerow([_cell(each.student), each.score, each.of, *(item.points for item in each.items)])
    return out.getvalue()


def _words(item: Item) -> str:
    return "\n".join([item.sentence, f"Source: {item.source}.", *item.calls])


def _cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULAS) else text
