"""Values with a unit: what is taken, and the sentence about what is not."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError, checked
from testbed.experiment import units
from testbed.experiment.link_conditions import conditions_of, require_possible
from testbed.experiment.parameters import Parameters, PatientParameters
from topologies.network.conditions import AS_EVER, Conditions

pytestmark = pytest.mark.usefixtures("usual_machine")


@pytest.mark.parametrize(
    ("text", "number"), [("20ms", 0.02), ("1.5s", 1.5), ("500us", 0.0005), ("0ms", 0.0), (".5 S", 0.5)]
)
def test_a_time_is_read_with_its_unit(text: str, number: float) -> None:
    """Microseconds, milliseconds and seconds, as tc writes them."""
    assert units.seconds(text) == pytest.approx(number)


def test_shares_and_rates_are_read_with_their_units() -> None:
    """A share is in percent, and a rate in bits a second."""
    assert units.share("0.1%") == pytest.approx(0.001)
    assert [units.bits(text) for text in ("512kbit", "10mbit", "1gbit")] == [512e3, 10e6, 1e9]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("inside_delay", "20", "20ms, 1.5s or 500us"),
        ("inside_delay", 0.02, "20ms, 1.5s or 500us"),
        ("inside_delay", "fast", "20ms, 1.5s or 500us"),
        ("inside_delay", True, "20ms, 1.5s or 500us"),
        ("inside_delay", "-1ms", "20ms, 1.5s or 500us"),
        ("outside_jitter", "11s", "take 10s at most"),
        ("outside_loss", "1", "such as 1% or 0.1%"),
        ("outside_loss", "60%", "take 50% at most"),
        ("inside_rate", "10mb", "10mbit, 512kbit or 1gbit"),
        ("inside_rate", "1kbit", "from 8kbit to 10gbit"),
        ("inside_rate", 0, "from 8kbit to 10gbit"),
    ],
)
def test_what_is_no_such_value_gets_a_sentence(key: str, value: object, words: str) -> None:
    """It names the key, the value, and what to write."""
    with pytest.raises(ConfigurationError) as told:
        checked(Parameters, {key: value}, kind="parameter")

    assert f"{key}=" in str(told.value)
    assert words in str(told.value)


def test_links_are_as_ever_unless_something_is_set() -> None:
    """The defaults are no conditions, on either side."""
    usual = Parameters().model_dump(mode="json")

    assert conditions_of(usual, "inside") == conditions_of(usual, "outside") == AS_EVER


def test_parameters_become_conditions_of_their_side() -> None:
    """Texts become numbers, and the other side stays as it is."""
    asked = Parameters(inside_delay=0, outside_delay="20 MS", outside_loss="1%", outside_rate="1mbit")

    assert conditions_of(asked.model_dump(mode="json"), "outside") == Conditions(0.02, loss=0.01, rate=1e6)
    assert conditions_of(asked.model_dump(mode="json"), "inside") == AS_EVER
    assert (asked.inside_delay, asked.outside_delay) == ("0ms", "20ms")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"inside_jitter": "2ms", "inside_delay": "1ms"}, "inside_jitter=2ms is not possible"),
        ({"outside_reordering": "1%"}, "outside_reordering=1% is not possible"),
    ],
)
def test_conditions_that_contradict_each_other_are_refused(asked: dict[str, str], words: str) -> None:
    """Nothing arrives before it was sent, and without a delay there is nobody to overtake."""
    with pytest.raises(ConfigurationError, match=words) as told:
        require_possible(Parameters(**asked).model_dump(mode="json"))

    assert "take a longer" in str(told.value)


def test_where_links_lose_frames_attempts_have_time_to_be_sent_again() -> None:
    """Unless the user says otherwise."""
    assert PatientParameters().patience == 2.0
    assert PatientParameters(inside_loss="1%").patience == 5.0
    assert PatientParameters(outside_loss="0%").patience == 2.0
    assert PatientParameters(inside_loss="1%", patience=3.0).patience == 3.0
