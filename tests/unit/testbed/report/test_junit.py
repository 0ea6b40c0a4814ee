"""`--junit`: what a CI server reads of a run, by the rules of the usual schema."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from testbed.report.junit import junit
from tests.support.junit_schema import mistakes
from tests.support.reports import a_run, failed

CANNOT = {"schema": 1, "scenario": "eviction", "gateway": "box", "verdict": "cannot", "reason": "it is a box"}
HOSTILE = "]]>&<\"'\0\x1b\x7f\x85\ud800\uffff\r\n\t \N{LINE SEPARATOR}\N{PILE OF POO}"
VERDICTS = {
    "pass": a_run(),
    "fail": a_run(verdict="fail", checks=[*a_run()["checks"], failed()]),
    "error": a_run(verdict="error", error="too busy", checks=[failed()]),
    "error before any check": a_run(verdict="error", error="it fell", last_words="ouch", checks=[]),
    "cannot": CANNOT,
}


def suites(*runs: dict[str, Any]) -> list[ET.Element]:
    """Return the suites about runs, which keep to the schema."""
    root = ET.fromstring(junit(runs).encode())
    assert mistakes(root) == []
    return list(root)


def of_hostile_texts(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run in which every text that people or programs may have written is hostile."""
    texts = ("scenario", "gateway", "version", "commit", "story", "error", "last_words", "reason")
    checks = [
        {**check, **dict.fromkeys(("key", "claim", "source", "expected"), HOSTILE), "observed": [HOSTILE]}
        for check in run.get("checks", [])
    ]
    return {**run, **dict.fromkeys(texts, HOSTILE), "checks": checks}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_whatever_the_verdict_and_the_texts_the_file_keeps_to_the_schema(verdict: str) -> None:
    """No text ends an attribute or an element, and none has a character that XML cannot have."""
    plain, hostile = suites(VERDICTS[verdict], of_hostile_texts(VERDICTS[verdict]))

    assert [[part.tag for part in case] for case in plain.iter("testcase")] == [
        [part.tag for part in case] for case in hostile.iter("testcase")
    ]
    written = [value for each in hostile.iter() for value in (*each.attrib.values(), each.text or "")]
    assert any("]]>&<\"'" in value and "\N{PILE OF POO}" in value for value in written)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ('<testsuite id="0"/>', "the root is testsuite"),
        ("<testsuites><testsuite/></testsuites>", "testsuite lacks timestamp"),
        ("<testsuites><case/></testsuites>", "testsuites has a part of another"),
        ('<testsuites time="1"/>', "testsuites has time"),
        ("<testsuites>words</testsuites>", "testsuites has a text"),
    ],
)
def test_what_breaks_the_rules_is_found(wrong: str, sentence: str) -> None:
    """Else they would hold any file."""
    assert sentence in mistakes(ET.fromstring(wrong))


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


def test_what_xml_cannot_write_is_replaced() -> None:
    """It has no way to write most control characters, nor half of a pair."""
    (suite,) = suites(
        {**a_run(checks=[{**failed(), "key": "a\0\x1b\ud800\uffff\N{PILE OF POO}\n"}]), "verdict": "fail"}
    )

    (failure,) = suite.iter("failure")
    assert failure.attrib["type"] == "a" + "\N{REPLACEMENT CHARACTER}" * 4 + "\N{PILE OF POO}\n"
