"""Whatever a user chooses is a run, or is refused in words that the user can follow."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.settings import ConfigurationError
from tests.support.choices import Chosen, chosen

SUBJECT = re.compile(r"(.*?) (?:is|are) not possible")
KEY = re.compile(r"(\w+)=")
NAME = re.compile(r"\b(profile|topology|gateway) ")
WAY_OUT = re.compile(r"; take (\w+)=([^ ,;]+)(?= or more| or fewer|,|$)")


def any_choices() -> st.SearchStrategy[Chosen]:
    """Return all that `chosen` may return."""
    return st.composite(lambda draw: chosen(lambda options: draw(st.sampled_from(options))))()


def refusal(choices: Chosen, **more: Any) -> str:
    """Return what the user is told, or nothing."""
    try:
        choices.resolved(**more)
    except ConfigurationError as error:
        return str(error)
    return ""


@settings(max_examples=150, deadline=None)
@given(any_choices())
def test_a_refusal_blames_what_the_user_gave_and_names_a_way_out(choices: Chosen) -> None:
    """Nothing else is raised. What the sentence begins with is what the user chose."""
    for sentence in refusal(choices).splitlines():
        subject = SUBJECT.match(sentence)
        assert subject, sentence
        assert {*KEY.findall(subject[1])} <= choices.values.keys(), sentence
        named = {"profile": choices.profile != "plain", "topology": choices.topology, "gateway": True}
        assert all(named[name] for name in NAME.findall(subject[1])), sentence
        assert re.search("; .*take |: it should be ", sentence), sentence


@settings(max_examples=150, deadline=None)
@given(any_choices())
def test_a_way_out_leads_somewhere(choices: Chosen) -> None:
    """With the value that a refusal proposes, that refusal does not come again."""
    told = refusal(choices)
    for key, value in WAY_OUT.findall(told):
        again = refusal(choices, **{key: yaml.safe_load(value)})
        assert told not in again
