"""Results as JUnit's XML, which CI servers read: a suite for each run, and in it a case for each check.

A check that did not hold is a `failure`. Where the run broke, or the machine was too busy to tell, no NAT is to
blame: then it is an `error`. A run that a gateway cannot carry out is `skipped`. The time of a run is that of its
first case, the run itself, since a check takes none.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from testbed.report.words import REPLACED, words
from testbed.run.naming import label

HOST = "localhost"
"""The host that a suite names: which machine it was does not matter, and is in the results."""
LONGEST = 2000


def junit(runs: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> str:
    """Return the XML about runs, as `results.json` and `compare.json` have them.

    `names` tell runs of one scenario apart, where the gateway's name does not.
    """
    suites = ET.Element("testsuites")
    for number, run in enumerate(runs):
        suites.append(_suite({**run, "gateway": names[number]} if names else run, number))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(run: Mapping[str, Any], number: int) -> ET.Element:
    name = f"{label(run['scenario'])} on {label(run['gateway'])}"
    cases = [_whole(run), *(_case(check, run) for check in run.get("checks", ()))]
    counts = {kind: sum(case.find(tag) is not None for case in cases) for kind, tag in _TAGS.items()}
    suite = ET.Element(
        "testsuite",
        {
            "id": str(number),
            "name": xml_text(name),
            "package": "lastport",
            "hostname": HOST,
            "timestamp": _timestamp(run.get("started")),
            "time": _time(run),
            "tests": str(len(cases)),
            **{kind: str(count) for kind, count in counts.items()},
        },
    )
    properties = ET.SubElement(suite, "properties")
    for key in ("version", "commit", "profile", "seed"):
        if run.get(key) is not None:
            ET.SubElement(properties, "property", {"name": key, "value": xml_text(words(run[key]))})
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = xml_text(run.get("story", ""))
    ET.SubElement(suite, "system-err").text = xml_text(run.get("last_words", ""))
    return suite


_TAGS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _whole(run: Mapping[str, Any]) -> ET.Element:
    """Return the case that is the run itself."""
    case = _new_case("the run itself", run, _time(run))
    if run["verdict"] == "cannot":
        ET.SubElement(case, "skipped", {"message": xml_text(run.get("reason", ""))})
    elif run["verdict"] == "error":
        reason = run.get("error") or "no check was made"
        ET.SubElement(case, "error", {"type": "error", "message": xml_text(reason)})
    return case


def _case(check: Mapping[str, Any], run: Mapping[str, Any]) -> ET.Element:
    case = _new_case(check["claim"], run, "0")
    if not check["ok"]:
        tag = "error" if run["verdict"] == "error" else "failure"
        expected, observed = words(check["expected"], LONGEST), words(check["observed"], LONGEST)
        found = ET.SubElement(
            case,
            tag,
            {"type": xml_text(check["key"]), "message": xml_text(f"expected {expected}, observed {observed}")},
        )
        found.text = xml_text(
            f"{check['claim']}\nexpected: {expected}\nobserved: {observed}\nsource: {check['source']}"
        )
    return case


def _new_case(name: str, run: Mapping[str, Any], time: str) -> ET.Element:
    classname = f"lastport.{label(run['scenario'])}.{label(run['gateway'])}"
    return ET.Element("testcase", {"name": xml_text(name), "classname": xml_text(classname), "time": time})


def _time(run: Mapping[str, Any]) -> str:
    return f"{run.get('duration_s', 0.0):.3f}"


def _timestamp(started: str | None) -> str:
    """Return a time as JUnit has it: in UTC, without a zone."""
    begun = datetime.fromisoformat(started) if started else datetime.fromtimestamp(0, UTC)
    return begun.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def xml_text(text: str) -> str:
    """Return a text of the characters that XML can have."""
    return "".join(each if each in "\t\n" or _is_xml(ord(each)) else REPLACED for each in text)


def _is_xml(code: int) -> bool:
    return 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF
