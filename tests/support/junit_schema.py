"""The rules of Ant's JUnit format as a table, and a file held to them.

They are those of the schema that CI servers name (JUnit.xsd of windyroad/JUnit-Schema): attributes with their
types, and which elements stand in which, in which order and how often. Counts are only numbers there, and here
they have to be right as well.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

TOKEN, TEXT, NAME = r"[\s\S]*", r"[\s\S]*", r"[\s\S]*\S[\s\S]*"
INT, DECIMAL = r"\d{1,9}", r"\d+(\.\d+)?"
DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
MANY = 10**9
COUNTS = {"tests": ".", "failures": "failure", "errors": "error", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What an element may have: attributes as regular expressions, elements in their order, and a text."""

    required: dict[str, str] = field(default_factory=dict)
    optional: dict[str, str] = field(default_factory=dict)
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_choice: bool = False
    """Whether at most one of the parts may be there."""
    has_text: bool = False


RULES = {
    "testsuites": Rule(parts={"testsuite": (0, MANY)}),
    "testsuite": Rule(
        required={
            "package": TOKEN,
            "id": INT,
            "name": NAME,
            "timestamp": DATE_TIME,
            "hostname": NAME,
            "tests": INT,
            "failures": INT,
            "errors": INT,
            "time": DECIMAL,
        },
        optional={"skipped": INT},
        parts={"properties": (1, 1), "testcase": (0, MANY), "system-out": (1, 1), "system-err": (1, 1)},
    ),
    "properties": Rule(parts={"property": (0, MANY)}),
    "property": Rule(required={"name": NAME, "value": TEXT}),
    "testcase": Rule(
        required={"name": TOKEN, "classname": TOKEN, "time": DECIMAL},
        parts={"skipped": (0, 1), "error": (0, 1), "failure": (0, 1)},
        is_choice=True,
    ),
    "skipped": Rule(optional={"message": TEXT}, has_text=True),
    "error": Rule(required={"type": TEXT}, optional={"message": TEXT}, has_text=True),
    "failure": Rule(required={"type": TEXT}, optional={"message": TEXT}, has_text=True),
    "system-out": Rule(has_text=True),
    "system-err": Rule(has_text=True),
}


def mistakes(root: ET.Element) -> list[str]:
    """Return a sentence for each place at which a file breaks the rules."""
    found = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    found += _mistakes(root)
    for place, suite in enumerate(root):
        if suite.get("id") != str(place):
            found.append(f"suite {place} has the id {suite.get('id')}")
        cases = suite.findall("testcase")
        for name, tag in COUNTS.items():
            number = len([case for case in cases if case.find(tag) is not None])
            if suite.get(name) != str(number):
                found.append(f"suite {place} has {name}={suite.get(name)} and {number} of them")
    return found


def _mistakes(element: ET.Element) -> list[str]:
    rule = RULES.get(element.tag)
    if rule is None:
        return [f"{element.tag} is unknown"]
    known = {**rule.required, **rule.optional}
    found = [f"{element.tag} lacks {name}" for name in rule.required if name not in element.attrib]
    found += [f"{element.tag} has {name}" for name in element.attrib if name not in known]
    found += [
        f"{element.tag} has {name}={value!r}"
        for name, value in element.attrib.items()
        if name in known and not re.fullmatch(known[name], value)
    ]
    tags = [part.tag for part in element]
    order = [*rule.parts]
    if any(tag not in order for tag in tags):
        return [*found, f"{element.tag} has a part of another"]
    if [*map(order.index, tags)] != sorted(map(order.index, tags)):
        found.append(f"{element.tag} has its parts in another order")
    found += [
        f"{element.tag} has {tags.count(tag)} times {tag}"
        for tag, (least, most) in rule.parts.items()
        if not least <= tags.count(tag) <= most
    ]
    if rule.is_choice and len(tags) > 1:
        found.append(f"{element.tag} has more than one of {order}")
    texts = [element.text, *(part.tail for part in element)]
    if not rule.has_text and any((text or "").strip() for text in texts):
        found.append(f"{element.tag} has a text")
    return [*found, *(each for part in element for each in _mistakes(part))]
