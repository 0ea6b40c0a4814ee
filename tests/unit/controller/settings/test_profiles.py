"""The profiles: possible settings, each with its reason, in files that `--config` takes as well."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from controller.settings import PROFILES, Settings, checked, profiles


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_possible(profile: str) -> None:
    """Settings under a name are settings."""
    checked(Settings, PROFILES[profile], kind="setting").for_nat()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_has_a_reason_for_every_setting(profile: str) -> None:
    """It also has a description of what it is for."""
    explained = profiles.EXPLAINED[profile]

    assert explained.description
    assert list(explained.reasons) == list(explained.settings) == list(PROFILES[profile])
    assert all(explained.reasons.values())


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profiles_file_is_one_that_config_takes(profile: str) -> None:
    """A copy of it is the beginning of one's own file."""
    file = Path(profiles.__file__).parent / f"{profile}.yaml"

    assert (yaml.safe_load(file.read_text()) or {}) == PROFILES[profile]


@pytest.mark.parametrize("profile", profiles.CLOUDS)
def test_each_value_of_a_product_has_a_source_and_a_date_or_is_marked_as_assumed(profile: str) -> None:
    """What a vendor does not publish is never presented as the vendor's."""
    explained = profiles.EXPLAINED[profile]

    assert explained.assumed
    for key, reason in explained.reasons.items():
        is_dated = re.search(r"(20\d\d|older copy)", reason) is not None
        assert (key in explained.assumed) is not is_dated, f"{key}: {reason}"


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {*profiles.CLOUDS}))
def test_the_timers_of_every_profile_are_the_rfcs(profile: str) -> None:
    """A profile takes over what a real NAT does when it is full, not how early it forgets."""
    timers = [name for name in Settings.model_fields if name.endswith("_timeout")]
    ours, theirs = Settings(), Settings.model_validate(PROFILES[profile])

    assert [name for name in timers if getattr(ours, name) != getattr(theirs, name)] == []


def test_the_profiles_differ_as_they_say() -> None:
    """Literal settings, as far as a profile is known for them."""
    assert PROFILES["plain"] == {}
    assert {"filtering_type": "eif", "address_allocation_type": "paired", "port_quota": 1024}.items() <= PROFILES[
        "cgn"
    ].items()
    assert {"hold_down_timeout": 120, "on_exhaustion": "icmp", "icmp_code": 1}.items() <= PROFILES["cgn"].items()
    assert PROFILES["overlap"] == {
        "mapping_type": "edm",
        "filtering_type": "edf",
        "port_overlapping": "endpoint",
        "port_allocation_type": "preserving",
    }
    assert PROFILES["home-router"]["limit_sessions"] == 1024


def test_a_profile_is_read_with_its_reasons() -> None:
    """The comment behind a setting is its reason; other comments are for the reader of the file."""
    read = profiles.read(
        "# For a test.\n# More.\n\nports: 8  # because\nexternal_addresses: [192.0.2.1]   # # 1\n"
    )

    assert read == profiles.Profile(
        "For a test.",
        {"ports": 8, "external_addresses": ["192.0.2.1"]},
        {"ports": "because", "external_addresses": "# 1"},
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "begins with a comment"),
        ("ports: 8  # because\n", "begins with a comment"),
        ("# For a test.\nports: 8\n", "not a setting with its reason: ports: 8"),
        ("# For a test.\nports: 8  #\n", "not a setting with its reason: ports: 8"),
        ("# For a test.\n- ports  # because\n", "not a setting with its reason: - ports"),
    ],
    ids=["empty", "no description", "no reason", "an empty reason", "a list"],
)
def test_a_profile_that_does_not_explain_itself_is_refused(text: str, told: str) -> None:
    """The profiles are ours, so a test finds what is missing."""
    with pytest.raises(ValueError, match=told):
        profiles.read(text)
