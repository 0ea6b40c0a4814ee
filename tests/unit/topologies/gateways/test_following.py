"""Settings that a gateway does not follow are refused where they are set, and none is ignored."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from topologies.gateways.following import require_followed, require_one_range

KNOWN = {"ports", "external_addresses"}


def check(known: set[str] = KNOWN, defaults: dict[str, Any] | None = None, **values: Any) -> None:
    """Check these settings of a gateway."""
    defaults = defaults or {}
    require_followed(Settings.model_validate({**defaults, **values}), known=known, defaults=defaults)


def refusal(**values: Any) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        check(**values)
    return str(refused.value)


def test_settings_that_are_followed_may_be_set() -> None:
    """And so may every other one to its default."""
    check(ports=8, external_addresses=3, udp_timeout=300, port_quota=None)


@pytest.mark.parametrize("key", [key for key in Settings.model_fields if key not in KNOWN])
def test_every_other_setting_is_refused(key: str) -> None:
    """Whatever it is, by its name."""
    settings = Settings().model_copy(update={key: "another"})

    with pytest.raises(ConfigurationError, match=f"setting {key}=another is not possible with this gateway"):
        require_followed(settings, known=KNOWN, defaults={})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"udp_timeout": 5},
            "setting udp_timeout=5.0 is not possible with this gateway: it does not follow it; "
            "take udp_timeout=300, or another --gateway",
        ),
        ({"port_quota": 5}, "take port_quota=null, or"),
        ({"refresh_inbound": True}, "setting refresh_inbound=true is not"),
        (
            {"known": {"ports"}, "external_addresses": 2},
            "setting external_addresses=[192.0.2.1, 192.0.2.2] is not",
        ),
        ({"known": {"ports"}, "external_addresses": 2}, "take external_addresses=[192.0.2.1], or"),
        ({"defaults": {"mapping_type": "edm"}, "mapping_type": "eim"}, "setting mapping_type=eim is not"),
        ({"defaults": {"mapping_type": "edm"}, "mapping_type": "eim"}, "take mapping_type=edm, or"),
    ],
)
def test_a_refusal_names_the_setting_the_value_and_the_way_out(values: dict[str, Any], told: str) -> None:
    """As YAML has them; the default is the gateway's own, where it has one."""
    assert told in refusal(**values)


def test_a_gateway_s_own_default_is_no_fault() -> None:
    """Nobody who chooses it has to set anything."""
    check(defaults={"mapping_type": "edm", "hold_down_timeout": 0})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"ports": ["4096-4111", "8192-8255"]},
            "setting ports=[4096-4111, 8192-8255] is not possible with this gateway: these are 2 ranges of ports, "
            "and it has one; take one range, such as ports=8192-8255, or another --gateway",
        ),
        (
            {"ports": 16, "reserved_ports": ["1026"]},
            "setting ports=16 and reserved_ports=[1026] is not possible with this gateway: these are 2 ranges of "
            "ports, and it has one; take one range, such as ports=1027-1039, or another --gateway",
        ),
    ],
    ids=["ranges", "reserved"],
)
def test_several_ranges_are_refused_where_a_gateway_takes_one(values: dict[str, Any], told: str) -> None:
    """However they came about."""
    with pytest.raises(ConfigurationError) as refused:
        require_one_range(Settings.model_validate(values), "it has one")

    assert str(refused.value) == told


def test_one_range_is_followed_wherever_it_is() -> None:
    """Reserved ports at its end, or beside it, leave one range."""
    require_one_range(Settings.model_validate({"ports": "4096-4111", "reserved_ports": ["500", "4111"]}), "any")
