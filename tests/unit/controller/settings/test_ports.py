"""How ports are written: a number, ranges, a PSID, and ports that belong to the gateway's own services."""

from __future__ import annotations

from typing import Any

import pytest

from controller.nat.port_set import ranges_of
from controller.settings import ConfigurationError, Settings, checked

PSID = {"psid_offset": 4, "psid_len": 8, "psid": 0x34}


def ranges(**written: Any) -> list[tuple[int, int]]:
    """Return the first and the last port of each range that mappings may have."""
    return [(each[0], each[-1]) for each in ranges_of(checked(Settings, written, kind="setting").port_set)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (256, [(1024, 1279)]),
        ("4096-4111", [(4096, 4111)]),
        ("5000", [(5000, 5000)]),
        (["8192-8207", "4096-4111"], [(4096, 4111), (8192, 8207)]),
        (["4096-4111", 4112, "4113-4120"], [(4096, 4120)]),
    ],
    ids=str,
)
def test_ports_are_a_number_or_ranges(written: object, expected: list[tuple[int, int]]) -> None:
    """RFC 8512 port-range: in ascending order, and ranges that touch are one."""
    assert ranges(ports=written) == expected


def test_a_psid_has_the_ports_of_the_rfc_s_example() -> None:
    """RFC 7597 section 5.1 and appendix A, example 1: PSID 0x34 has 0x1340 to 0x134F, ..., 0xF340 to 0xF34F."""
    found = ranges(ports=PSID)

    assert found == [(0x340 + 0x1000 * first, 0x34F + 0x1000 * first) for first in range(1, 16)]
    assert Settings.model_validate({"ports": PSID}).port_count == 240


@pytest.mark.parametrize(
    ("written", "count", "first"),
    [
        ({"psid_offset": 6, "psid_len": 8, "psid": 0}, 63 * 4, 1024),
        ({"psid_offset": 0, "psid_len": 6, "psid": 1}, 1024, 1024),
        ({"psid_offset": 4, "psid_len": 12, "psid": 5}, 15, 0x1005),
        ({"psid_offset": 1, "psid_len": 0, "psid": 0}, 32_768, 32_768),
    ],
    ids=str,
)
def test_a_psid_of_any_lengths(written: dict[str, int], count: int, first: int) -> None:
    """Without offset bits a PSID has one range; with 16 bits in all, each range is one port."""
    settings = Settings.model_validate({"ports": written})

    assert (settings.port_count, settings.port_set[0]) == (count, first)


def test_every_two_psids_of_an_address_have_no_port_in_common() -> None:
    """All 16 subscribers of an address together have every port from 4096 on, once."""
    each = [Settings.model_validate({"ports": {**PSID, "psid_len": 4, "psid": psid}}) for psid in range(16)]

    assert sorted(port for one in each for port in one.port_set) == list(range(4096, 65_536))


@pytest.mark.parametrize("written", [64, ["4096-4111", "5000"], PSID], ids=str)
def test_what_is_written_stays_as_it_is(written: object) -> None:
    """The controller reads the same settings from a file as the results show."""
    dumped = Settings.model_validate({"ports": written, "reserved_ports": 4100}).model_dump(mode="json")

    assert (dumped["ports"], dumped["reserved_ports"]) == (written, ["4100"])
    assert Settings.model_validate(dumped).ports == written


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (0, "should be from 1 to 64512"),
        (64_513, "should be from 1 to 64512"),
        (16**40, "should be from 1 to 64512"),
        (
            "many",
            "'many' is no port or range; take 1 to 64,512, ranges such as [4096-4111, 8192-8207], or a PSID",
        ),
        (2.5, "2.5 is no port or range"),
        (None, "null is no port or range"),
        (True, "true is no port or range"),
        ([True], "true is no port or range"),
        ([[5000]], "[5000] is no port or range"),
        ([], "take one at least"),
        (["1000-2000"], "1000-2000 begins below 1024"),
        (["4096-4111", 4100], "4096-4111 and 4100 have ports in common"),
        ("4111-4096", "4111-4096 is no range of ports; take FIRST-LAST, from 1 to 65535"),
        ("4096-70000", "4096-70000 is no range of ports"),
        ("4096-", "'4096-' is no port or range"),
        ({"psid": 1}, "give psid_offset, psid_len and psid, each an integer"),
        ({**PSID, "psid": True}, "each an integer"),
        ({**PSID, "psid": 256}, "a psid of 8 bits should be from 0 to 255"),
        ({**PSID, "psid_len": 13}, "together 16 bits at most"),
        ({**PSID, "psid_offset": 0, "psid": 3}, "its ports begin at 768, below 1024"),
        ({"psid_offset": 7, "psid_len": 1, "psid": 0}, "its ports begin at 512, below 1024"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_ports_are_refused_with_the_key_and_the_way_out(written: object, reason: str) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigurationError) as refused:
        ranges(ports=written)

    assert str(refused.value).startswith("setting ports=")
    assert reason in str(refused.value)


def test_reserved_ports_are_no_mapping_s() -> None:
    """A gateway's own services have them, within the ports or beside them."""
    assert ranges(ports=16, reserved_ports=["500", "1028-1029", 1039]) == [(1024, 1027), (1030, 1038)]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"ports": 4, "reserved_ports": "1024-1027"}, "reserved_ports=[1024-1027] is not possible with ports=4"),
        (
            {"reserved_ports": None},
            "setting reserved_ports=null is not possible: null is no port or range; take",
        ),
        ({"reserved_ports": ["9-4"]}, "setting reserved_ports=['9-4'] is not possible: 9-4 is no range of ports"),
        (
            {"ports": PSID, "port_allocation_type": "blocks", "port_set_size": 32},
            "there would be no whole block; take at most 16, such as port_set_size=2",
        ),
        (
            {"ports": PSID, "static_mappings": "tcp 192.0.2.1:5000 10.0.0.1:80"},
            "take an external port from 4928 to 62287 that mappings may have",
        ),
        (
            {"ports": 16, "reserved_ports": 1030, "static_mappings": "tcp 192.0.2.1:1030 10.0.0.1:80"},
            "take an external port from 1024 to 1039 that mappings may have",
        ),
    ],
    ids=str,
)
def test_what_contradicts_the_ports_is_refused(written: dict[str, Any], words: str) -> None:
    """Blocks and static mappings need ports that are there."""
    with pytest.raises(ConfigurationError) as refused:
        ranges(**written)

    assert words in str(refused.value)


def test_a_copy_has_its_own_ports() -> None:
    """A scenario changes `ports` of settings whose ports were asked for already."""
    settings = Settings.model_validate({"ports": PSID})

    assert settings.port_count == 240
    assert settings.model_copy(update={"ports": 16}).port_set == range(1024, 1040)
