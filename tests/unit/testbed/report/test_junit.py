"""`--junit`: what a CI server reads of a run, by the rules of the usual schema."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from testbed.report.junit import junit
from tests.support.reports import a_run, failed

CANNOT = {"schema": 1, "scenario": "eviction", "gateway": "box", "verdict": "cannot", "reason": "it is a box"}
ATTRIBUTES = {
    *("id", "name", "package", "hostname", "timestamp", "time"),
    *("tests", "failures", "errors", "skipped"),
}
ORDER = ["properties", "testcase", "system-out", "system-err"]
"""The parts of a suite, in the order in which the schema wants them."""


def suites(*runs: dict[str, Any]) -> list[ET.Element]:
    """Return the suites about runs, which keep to the schema."""
    root = ET.fromstring(junit(runs))
    assert (root.tag, root.attrib) == ("testsuites", {})
    for number, suite in enumerate(root):
        wanted = {
            "id",
            "name",
            "package",
            "hostname",
            "timestamp",
            "time",
            "tests",
            "failures",
            "errors",
            "skipped",
        }
        assert set(suite.attrib) == wanted
        assert suite.attrib["id"] == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        assert [ORDER.index(part.tag) for part in suite] == sorted(ORDER.index(part.tag) for part in suite)
        cases = suite.findall("testcase")
        assert all(set(case.attrib) == {"name", "classname", "time"} for case in cases)
        assert all(float(case.attrib["time"]) >= 0 for case in cases)
        counted = {"tests": len(cases)}
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            counted[kind] = len(suite.findall(f"testcase/{tag}"))
        assert {key: int(suite.attrib[key]) for key in counted} == counted
        assert all("type" in each.attrib for tag in ("failure", "error") for each in suite.iter(tag))
    return list(root)


def test_each_check_is_a_case_and_the_run_itself_is_the_first() -> None:
    """It has the time, since a check takes none."""
    (suite,) = suites(a_run(seed=7, version="1.2", verdict="fail", checks=[*a_run()["checks"], failed()]))

    cases = [
        (case.attrib["name"], case.attrib["time"], [each.tag for each in case]) for case in suite.iter("testcase")
    ]
    assert cases == [
        ("the run itself", "7.250", []),
        ("exactly 4 attempts are established", "0", []),
        ("no packet leaked", "0", ["failure"]),
    ]
    (failure,) = suite.iter("failure")
    assert failure.attrib == {"type": "no packet leaked", "message": "expected 0, observed 3"}
    assert "source: RFC 4787 REQ-3" in (failure.text or "")
    assert [each.attrib["value"] for each in suite.iter("property")] == ["1.2", "7"]
    assert suite.attrib["timestamp"] == "2026-01-02T03:04:05"


def test_where_the_run_broke_no_check_is_a_failure() -> None:
    """No NAT is to blame: the verdict is `error`, and so is each case that did not hold."""
    (suite,) = suites(a_run(verdict="error", error="too busy", checks=[failed()]))

    assert [each.attrib["message"] for each in suite.iter("error")] == ["too busy", "expected 0, observed 3"]
    assert not list(suite.iter("failure"))


def test_what_a_gateway_cannot_run_is_skipped() -> None:
    """It fails no comparison, so it fails no build."""
    first, second = suites(a_run(), CANNOT)

    assert (first.attrib["skipped"], second.attrib["skipped"]) == ("0", "1")
    assert second.attrib["name"] == "eviction on box"
    assert [each.attrib["message"] for each in second.iter("skipped")] == ["it is a box"]


def test_no_text_breaks_the_xml() -> None:
    """XML has no way to write most control characters, nor half of a pair."""
    hostile = "]]>&<\"'\0\x1b\ud800\uffff\N{PILE OF POO}"
    told = a_run(scenario=hostile, gateway=hostile, story=hostile, checks=[failed(hostile, source=hostile)])

    (suite,) = suites({**told, "verdict": "fail"})

    (failure,) = suite.iter("failure")
    assert failure.attrib["type"] == "]]>&<\"'" + "\N{REPLACEMENT CHARACTER}" * 4 + "\N{PILE OF POO}"
    junit([told]).encode()
