"""What a user's scenario or gateway has to keep to: the sentence for each mistake, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.run.choices import Choices
from testbed.run.resolve import resolve

SCENARIO = """
from testbed.api import Parameters, Scenario, derived

class Sizes(Parameters):
    pages: int = 3

class Mine(Scenario[Sizes]):
    story = "{{ pages }} pages"

    def run(self, x):
        x.account()
"""
GATEWAY = """
from testbed.api import Entry, Exhaustion, LinuxRouter

def fact(value):
    return Entry(value, "a test", "1")

BACK = dict.fromkeys(("close", "late close", "half-close", "reset", "silence", "udp"), (0.0, 1.0))
FULL = Exhaustion(dict.fromkeys(("tcp", "udp", "icmp"), "timeout"))

class Mine(LinuxRouter):
    @classmethod
    def rules(cls, plan):
        return ""

    @classmethod
    def declare(cls, settings, options):
        from testbed.api import Behaviour
        return Behaviour(
            mapping=fact("edm"), filtering=fact("edf"), overlapping=fact("endpoint"), pooling=fact("paired"),
            finds_every_port_of=fact(64), fills_every_address=fact(True), keeps_source_port=fact(True),
            ports_exhausted=fact(FULL), state_exhausted=fact(FULL), port_back=fact(BACK),
            icmp_identifiers=fact("kept"),
        )
"""


def refusal(folder: Path, content: str, *, kind: str = "scenario") -> str:
    """Return what the user is told, after the file's name."""
    path = folder / "mine.py"
    path.write_text(content)
    names = {"scenario": "release", "gateway": "openflow", kind: str(path)}
    with pytest.raises(ConfigurationError) as refused:
        resolve(names["scenario"], names["gateway"], Choices(), datapath="userspace")
    return str(refused.value)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("pages: int = 3", "ports: int = 3", "parameter 'ports' is the name of a setting"),
        ("Scenario[Sizes]", "Scenario[int]", "int in Scenario[...] has to derive from Parameters"),
        ("{{ pages }} pages", "{{ pages pages", "story: TemplateSyntaxError: "),
        ("story =", "requires = 'no'\n    story =", "requires='no' is no tuple of requirements"),
        ("story =", "settings = [1]\n    story =", "settings=[1] is no dict"),
        ("def run", "complete = classmethod(lambda c, p, s: {'prots': 1})\n    def run", "did you mean 'ports'?"),
        ("def run", "complete = classmethod(lambda c, p, s: None)\n    def run", "complete returned None"),
        ("def run", "complete = classmethod(lambda c, p, s: 1 / 0)\n    def run", "complete: ZeroDivisionError"),
        ("def run", "of_each_gateway = classmethod(lambda c, p: {'gatway': {}})\n    def run", "mean 'gateway'?"),
    ],
)
def test_a_mistake_in_a_scenario_is_told_by_its_name(tmp_path: Path, before: str, after: str, words: str) -> None:
    """It is no fault of lastport's, and takes no run to be found."""
    assert before in SCENARIO
    told = refusal(tmp_path, SCENARIO.replace(before, after))

    assert str(tmp_path / "mine.py") in told
    assert words in told


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('fact("edf")', 'fact("edff")', "declared filtering='edff' is not possible; take one of eif, adf, edf"),
        ("fact(64)", 'fact("many")', "declared finds_every_port_of='many'"),
        ('"udp"), (0.0', '"upd"), (0.0', "also the seconds after udp"),
        ("ports_exhausted=fact(FULL)", "ports_exhausted=fact(None)", "take an Exhaustion"),
        ("mapping=", "maping=", "declare: TypeError: "),
        ("return Behaviour(", "return None and Behaviour(", "declare returned None; it has to return a Behaviour"),
    ],
)
def test_a_mistake_in_a_gateway_is_told_by_its_name(tmp_path: Path, before: str, after: str, words: str) -> None:
    """So no scenario meets a fact that it does not know."""
    assert before in GATEWAY
    told = refusal(tmp_path, GATEWAY.replace(before, after), kind="gateway")

    assert words in told


def test_a_file_of_another_kind_is_recognised(tmp_path: Path) -> None:
    """The sentence says where it belongs."""
    assert "It is a gateway: give it by --gateway" in refusal(tmp_path, GATEWAY)


def test_null_is_the_default_of_a_parameter_that_is_made_from_the_settings() -> None:
    """As if it were not given."""
    run = resolve("port-exhaustion", "openflow", Choices(sets=["attempts=null"]), datapath="userspace")

    assert run.parameters["attempts"] == 320
