"""What a question needs: refused up front, with key, value, reason and way out."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from testbed.experiment.requirements import Asked, Of, Refusal, Requirement, require

ASKED = Asked("mine", None, Settings(ports=64))
MET = Requirement("nothing", lambda asked: None, Of.SETTINGS)
UNMET = Requirement(
    "fewer ports", lambda asked: Refusal("ports", asked.settings.ports, "why", "ports=8"), Of.GATEWAY
)


def test_the_first_requirement_that_is_not_met_is_the_sentence() -> None:
    """Key, value, scenario, reason, way out."""
    with pytest.raises(ConfigurationError) as refused:
        require([MET, UNMET], Of.GATEWAY, ASKED)

    assert str(refused.value) == "setting ports=64 is not possible with mine: why; take ports=8"


def test_requirements_of_the_other_kind_are_not_looked_at() -> None:
    """What a gateway needs is asked when there is one."""
    require([MET, UNMET], Of.SETTINGS, ASKED)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "null"), (2.0, "2"), (0.25, "0.25"), ("drop", "drop"), (7, "7")]
)
def test_a_value_is_shown_as_a_user_would_write_it(value: Any, shown: str) -> None:
    """YAML's null, and no superfluous digits."""
    refusal = Refusal("key", value, "why", "key=1", kind="parameter")

    assert refusal.sentence("mine").startswith(f"parameter key={shown} is not possible")
