"""Submissions of lab 3: the reference, and wrong ones that differ from it in a line or two."""

from __future__ import annotations

from tests.support.paths import ROOT

REFERENCE = (ROOT / "docs/labs/answers/03-a-policy.py").read_text()
LARGEST = "Evict(next(each for each in mappings if each.internal.address == largest))"
WRONG: dict[str, tuple[str, str, set[str]]] = {
    "raises where there are no victims": (
        "if not mappings or counts",
        "if counts[mappings[0].internal.address] < 1 or counts",
        {"decides"},
    ),
    "drops at every other limit": ("return shortage.fallback", "return Answer.NOTHING", {"fallback"}),
    "takes a port of its subscriber's own at the quota": (
        "            return Answer.ICMP\n        if shortage.limit is Limit.RATE",
        "            return Evict(next(shortage.victims))\n        if shortage.limit is Limit.RATE",
        {"decides", "quota-refused"},
    ),
    "refuses what comes too fast": ("return Wait()", "return Answer.ICMP", {"rate-waits"}),
    "is silent where nobody has more than the share": (
        "if most <= SHARE:\n            return Answer.ICMP",
        "if most <= SHARE:\n            return Answer.NOTHING",
        {"icmp"},
    ),
    "resets where nobody has more than the share": (
        "if most <= SHARE:\n            return Answer.ICMP",
        "if most <= SHARE:\n            return Answer.RESET",
        {"icmp"},
    ),
    "takes from those that have the share": ("if most <= SHARE:", "if most < SHARE:", {"icmp", "kept"}),
    "ends the least recently used of all": (
        LARGEST,
        "Evict(mappings[0])",
        {"kept", "largest-pays"},
    ),
    "takes nothing from anybody": ("if most <= SHARE:", "if True:", {"admits", "largest-pays", "least-recent"}),
    "takes from the first that has more than the share": (
        "counts.most_common(1)[0]",
        "next(pair for pair in (*counts.items(), (0, 0)) if pair[1] > SHARE or not pair[0])",
        {"largest-pays"},
    ),
    "takes the last used of the largest": (
        "(each for each in mappings",
        "(each for each in mappings[::-1]",
        {"least-recent"},
    ),
    "takes any of the largest": (
        LARGEST,
        "Evict([each for each in mappings if each.internal.address == largest][len(mappings) % 5 + 1])",
        {"least-recent"},
    ),
    "has no share for the newcomer": (
        " or counts[shortage.packet.source.address] >= SHARE",
        "",
        {"no-more-than-share"},
    ),
    "counts sockets": (
        "Counter(each.internal.address for each in mappings)",
        "Counter(each.internal for each in mappings)",
        {"admits", "largest-pays", "least-recent"},
    ),
}
"""By what each does: what it has in place of a line of the reference, and the requirements that it fails."""


def wrong(name: str, source: str = REFERENCE) -> str:
    """Return the source of a wrong submission."""
    old, new, _ = WRONG[name]
    assert old in source
    return source.replace(old, new)
