"""The settings: their defaults, their bounds, and what a user reads who gets one wrong."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from controller.configuration import PROFILES, ConfigurationError, Settings, checked
from controller.nat.allocators.random_ import RandomAllocator
from controller.nat.exhaustion.drop import Drop
from controller.nat.tcp import TcpTimer
from controller.wiring import ControllerConfiguration, Interface, Side


def refusal(**values: Any) -> str:
    """Return what a user is told who sets this."""
    with pytest.raises(ConfigurationError) as refused:
        checked(Settings, values, kind="setting")
    return str(refused.value)


@pytest.mark.parametrize(
    ("setting", "default"),
    [
        ("ports", 64_512),
        ("external_addresses", [ipaddress.IPv4Address("192.0.2.1")]),
        ("port_allocation_type", "random"),
        ("on_exhaustion", "drop"),
        ("udp_timeout", 300),
        ("icmp_timeout", 60),
        ("tcp_idle_timeout", 7440),
        ("tcp_trans_open_timeout", 240),
        ("tcp_trans_close_timeout", 240),
        ("tcp_rst_timeout", 240),
        ("hold_down_timeout", 120),
        ("time_scale", 1),
    ],
)
def test_the_defaults_are_the_rfcs(setting: str, default: object) -> None:
    """RFC 4787 REQ-5c, RFC 5508 REQ-2, RFC 5382 REQ-5, RFC 7857 section 2, RFC 6888 REQ-8."""
    assert getattr(Settings(), setting) == default


def test_every_setting_has_a_default_a_description_and_a_source() -> None:
    """Nobody must set anything, and everybody can look everything up."""
    properties = Settings.model_json_schema()["properties"]

    assert set(properties) == set(Settings.model_fields)
    for name, entry in properties.items():
        assert {"default", "description", "source"} <= set(entry), name


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("ports", 0, "greater than or equal to 1"),
        ("ports", 64_513, "less than or equal to 64512"),
        ("ports", "many", "valid integer"),
        ("ports", 2.5, "valid integer"),
        ("ports", None, "valid integer"),
        ("ports", True, ""),
        ("external_addresses", 0, "from 1 to 254"),
        ("external_addresses", 300, "from 1 to 254"),
        ("external_addresses", [], "at least one"),
        ("external_addresses", "some", "valid list"),
        ("external_addresses", True, "valid list"),
        ("port_allocation_type", "guess", "choose from: random"),
        ("on_exhaustion", "panic", "choose from: drop"),
        ("on_exhaustion", 7, "choose from: drop"),
        ("udp_timeout", 0, "greater than 0"),
        ("udp_timeout", -1, "greater than 0"),
        ("udp_timeout", float("inf"), "finite number"),
        ("icmp_timeout", "soon", "valid number"),
        ("tcp_idle_timeout", 10_000_001, "less than or equal to 10000000"),
        ("tcp_trans_open_timeout", 0, "greater than 0"),
        ("tcp_trans_close_timeout", 0, "greater than 0"),
        ("tcp_rst_timeout", 0, "greater than 0"),
        ("hold_down_timeout", -0.5, "greater than or equal to 0"),
        ("time_scale", 0, "greater than 0"),
        ("time_scale", float("nan"), "finite number"),
        ("time_scale", 1001, "less than or equal to 1000"),
    ],
    ids=lambda value: str(value),
)
def test_a_wrong_value_is_refused_with_the_key_the_value_and_the_way_out(
    setting: str, value: object, reason: str
) -> None:
    """Before anything starts, in one sentence."""
    told = refusal(**{setting: value})

    assert told.startswith(f"setting {setting}={value!r} is not possible: ")
    assert reason in told
    description = Settings.model_fields[setting].description
    assert description is not None
    assert told.endswith(f"({description})")


@pytest.mark.parametrize(
    ("addresses", "told_of"),
    [
        (["192.0.2.1", "192.0.2.1"], "none twice"),
        (["192.0.2.1", "300.0.0.1"], "'300.0.0.1'"),
        (["2001:db8::1"], "'2001:db8::1'"),
    ],
    ids=["twice the same", "no address", "IPv6"],
)
def test_a_wrong_list_of_addresses_is_refused(addresses: list[str], told_of: str) -> None:
    """The wrong one is named."""
    told = refusal(external_addresses=addresses)

    assert told.startswith("setting external_addresses=")
    assert told_of in told


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("prots", "did you mean 'ports'?"),
        ("udp_timout", "did you mean 'udp_timeout'?"),
        ("zzz", "choose from: external_addresses, "),
    ],
)
def test_an_unknown_setting_is_refused_with_what_may_have_been_meant(key: str, hint: str) -> None:
    """A close match, or the whole list."""
    told = refusal(**{key: 1})

    assert told.startswith(f"setting {key!r} is unknown: ")
    assert hint in told


def test_every_fault_is_told_at_once() -> None:
    """One sentence for each, so that nobody has to try again and again."""
    assert len(refusal(ports=0, udp_timeout=0, nonsense=1).splitlines()) == 3


@pytest.mark.parametrize(
    ("given", "read"),
    [(3, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]), (["192.0.2.9"], ["192.0.2.9"])],
    ids=["number", "list"],
)
def test_external_addresses_are_a_number_or_a_list(given: object, read: list[str]) -> None:
    """A number counts from 192.0.2.1 upward."""
    settings = Settings.model_validate({"external_addresses": given})

    assert [str(address) for address in settings.external_addresses] == read


def test_the_core_gets_scaled_times_and_looked_up_names() -> None:
    """`time_scale` multiplies every timer; the rest of a freed port is the switch's matter, and is not scaled."""
    settings = Settings(ports=4, time_scale=0.5, tcp_rst_timeout=10).for_nat()

    assert settings.ports == range(1024, 1028)
    assert settings.external_addresses == (int(ipaddress.IPv4Address("192.0.2.1")),)
    assert settings.allocator is RandomAllocator
    assert isinstance(settings.on_exhaustion, Drop)
    assert (settings.udp_timeout, settings.icmp_timeout, settings.hold_down_timeout) == (150, 30, 60)
    assert settings.tcp_timeouts == {
        TcpTimer.OPENING: 120,
        TcpTimer.ESTABLISHED: 3720,
        TcpTimer.CLOSING: 120,
        TcpTimer.RESET: 5,
    }
    assert settings.rest == 0.5


def test_the_largest_pool_ends_at_the_last_port() -> None:
    """RFC 6056 section 3.2: 1024 to 65535."""
    assert Settings().for_nat().ports == range(1024, 65_536)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_possible(profile: str) -> None:
    """Settings under a name are settings."""
    checked(Settings, PROFILES[profile], kind="setting")


def test_a_controllers_configuration_survives_its_file(tmp_path: Path) -> None:
    """What the topology saves, the controller loads."""
    configuration = ControllerConfiguration(
        settings=Settings(ports=5, external_addresses=[ipaddress.IPv4Address("192.0.2.7")]),
        interfaces=[Interface(port=1, side=Side.INSIDE, address=ipaddress.IPv4Interface("10.0.255.254/16"))],
        mac="02:00:0a:00:ff:fe",
        seed=3,
    )
    configuration.save(tmp_path / "controller.yaml")

    assert ControllerConfiguration.load(tmp_path / "controller.yaml") == configuration


def test_a_file_that_was_not_written_for_a_controller_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed."""
    (tmp_path / "controller.yaml").write_text("settings: {}\n")

    with pytest.raises(ValidationError):
        ControllerConfiguration.load(tmp_path / "controller.yaml")
