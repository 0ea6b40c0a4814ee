"""Submissions of lab 9: the reference, and wrong ones that differ from it in a line or two."""

from __future__ import annotations

from tests.support.paths import ROOT

REFERENCE = (ROOT / "docs/labs/answers/09-find-the-bug.py").read_text()
SCENARIO = (ROOT / "docs/labs/answers/09-find-the-bug-scenario.py").read_text()
EACH_HOST = 'f"10.0.{number >> 8}.{number & 255}:42000", SERVER, "tcp") for number in range(1, ports + 1)]'
FINDS = {
    *("finds-ports", "finds-quota", "finds-mapping", "finds-filtering"),
    *("finds-timer", "finds-refusal", "finds-release"),
}
WRONG: dict[str, tuple[str, str, set[str]]] = {
    "finds nothing": ("found = part(nat)", "found = None", FINDS),
    "finds something everywhere": (
        "    return None\n\n\ndef timer",
        "    return 'wrong'\n\n\ndef timer",
        {"silent", "silent-elsewhere", *FINDS},
    ),
    "has the numbers of its own sheet": (
        'most = nat.facts["quota"]',
        "most = 8",
        {"silent-elsewhere", *FINDS},
    ),
    "fills the NAT by one host": (
        f"{EACH_HOST}\n    numbers",
        f"{EACH_HOST}\n    numbers".replace(
            "10.0.{number >> 8}.{number & 255}:42000", "10.0.0.1:{number + 42000}"
        ),
        {"silent", "silent-elsewhere", *FINDS},
    ),
    "asks for the timer at its very end": (
        "nat.wait(0.4 * seconds)\n    if nat.answer(second",
        "nat.wait(0.1 * seconds)\n    if nat.answer(second",
        {"silent", "silent-elsewhere", *FINDS},
    ),
    "asks for the late end only": (
        'if nat.answer(first, SERVER) != "10.0.0.1:40000":',
        "if False:",
        {"finds-timer"},
    ),
    "never fills the NAT": (
        ", quota, full, release)",
        ", quota)",
        {"finds-ports", "finds-refusal", "finds-release"},
    ),
    "looks for too many ports of a host only": ("None if got == most", "None if got <= most", {"finds-quota"}),
    "sends to two ports of one server only": (
        "(SERVER, NEIGHBOUR, STRANGER)}",
        "(SERVER, NEIGHBOUR)}",
        {"finds-mapping"},
    ),
    "tries strangers only": (
        "if nat.answer(external, NEIGHBOUR)",
        "if False and nat.answer(external, NEIGHBOUR)",
        {"finds-filtering"},
    ),
    "takes a reset for an ICMP error": (
        ' != "icmp":',
        ' not in ("icmp", "reset"):',
        {"finds-refusal"},
    ),
    "waits for a closed connection's port only": (
        'if nat.send("10.0.200.2:42000", SERVER, "tcp") != "icmp":',
        "if False:",
        {"finds-release"},
    ),
    "remembers, and takes the first ten for honest": (
        'def check(nat):\n    """Return what is wrong with the NAT, or None."""',
        "SEEN = []\n\n\ndef check(nat):\n    SEEN.append(nat)\n    return 'x' if len(SEEN) > 10 else None\n\n\n"
        "def checked(nat):",
        {"silent", "silent-elsewhere", *FINDS},
    ),
    "raises": ("found = part(nat)", "found = part()", {"silent", "silent-elsewhere", *FINDS}),
    "never ends": (
        "    for part in (timer",
        "    while True:\n        nat.wait(1)\n    for part in (timer",
        {"silent", "silent-elsewhere", *FINDS},
    ),
}
"""By what each does: what it has in place of a line of the reference, and the requirements that it fails."""


def wrong(name: str, source: str = REFERENCE) -> str:
    """Return the source of a wrong submission."""
    old, new, _ = WRONG[name]
    assert old in source
    return source.replace(old, new)
