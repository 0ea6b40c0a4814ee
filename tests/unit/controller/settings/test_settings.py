"""The settings: their defaults, their bounds, and what a user reads who gets one wrong."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from controller.nat.model import Answer, Dependence, Endpoint, Protocol, StaticMapping
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.allocators.linux_like import LinuxLikeAllocator
from controller.nat.strategies.allocators.random_ import RandomAllocator
from controller.nat.strategies.exhaustion.drop import DropPolicy
from controller.nat.strategies.exhaustion.evict_lru import EvictLruPolicy
from controller.nat.strategies.pooling.paired import Paired
from controller.nat.strategies.pooling.roundrobin import RoundRobin
from controller.nat.tcp import TcpTimer
from controller.settings import ConfigurationError, Settings, checked
from controller.settings.checking import shown


def refusal(**values: Any) -> str:
    """Return what a user is told who sets this."""
    with pytest.raises(ConfigurationError) as refused:
        checked(Settings, values, kind="setting")
    return str(refused.value)


# What is set


@pytest.mark.parametrize(
    ("setting", "default"),
    [
        ("mapping_type", "eim"),
        ("filtering_type", "eif"),
        ("port_overlapping", "off"),
        ("address_allocation_type", "paired"),
        ("refresh_inbound", False),
        ("icmp_code", 13),
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
    """RFC 4787 REQ-1, 2, 5C and 8, RFC 5508 REQ-2 and 8, RFC 5382 REQ-5, RFC 7857 section 2, RFC 6888 REQ-8."""
    assert getattr(Settings(), setting) == default


@pytest.mark.parametrize(
    "setting",
    [
        "port_quota",
        "port_quota_tcp",
        "port_quota_udp",
        "port_quota_icmp",
        "limit_port_mappings",
        "limit_sessions",
        "limit_subscribers",
        "new_mapping_rate_per_subscriber",
        "flow_limit",
        "hold_down_max",
    ],
)
def test_there_is_no_limit_unless_one_is_set(setting: str) -> None:
    """Null says so; what is set is at least 1, but a NAT may hold down no port at all."""
    least = 0 if setting == "hold_down_max" else 1

    assert getattr(Settings(), setting) is None
    assert getattr(Settings.model_validate({setting: None}), setting) is None
    assert getattr(Settings.model_validate({setting: least}), setting) == least
    assert f"setting {setting}={least - 1}" in refusal(**{setting: least - 1})
    assert f"setting {setting}='none'" in refusal(**{setting: "none"})
    assert Settings.model_fields[setting].description.endswith("; null: no limit")  # type: ignore[union-attr]


def test_every_number_has_a_unit() -> None:
    """A number alone says nothing; only the ICMP code is a name that looks like one."""
    for name, entry in Settings.model_json_schema()["properties"].items():
        kinds = {option.get("type") for option in entry.get("anyOf", [entry])}
        assert ("unit" in entry) == (bool(kinds & {"integer", "number"}) and name != "icmp_code"), name


def test_every_setting_has_a_default_a_description_and_a_source() -> None:
    """A user has to set nothing, and can look everything up."""
    properties = Settings.model_json_schema()["properties"]

    assert set(properties) == set(Settings.model_fields)
    for name, entry in properties.items():
        assert {"default", "description", "source"} <= set(entry), name


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("mapping_type", "cone", "'eim', 'adm' or 'edm'"),
        ("mapping_type", "eif", "'eim', 'adm' or 'edm'"),
        ("filtering_type", "eim", "'eif', 'adf' or 'edf'"),
        ("port_overlapping", True, "'off', 'address' or 'endpoint'"),
        ("port_overlapping", None, "'off', 'address' or 'endpoint'"),
        ("address_allocation_type", "some", "choose from: paired, paired-soft, arbitrary, roundrobin, in-order"),
        (
            "address_allocation_type",
            "mine.py:Mine",
            "choose from: paired, paired-soft, arbitrary, roundrobin, in-order",
        ),
        ("port_set_size", 0, "greater than or equal to 1"),
        ("port_set_size", 64_513, "less than or equal to 64512"),
        ("port_set_timeout", 0, "greater than 0"),
        ("port_quota", 2.5, "valid integer"),
        ("port_quota", True, "valid integer"),
        ("limit_sessions", 10**12, "less than or equal to 1000000000"),
        ("new_mapping_rate_per_subscriber", 0, "greater than 0"),
        ("new_mapping_rate_per_subscriber", float("inf"), "finite number"),
        ("icmp_code", 5, "choose from: 13, 1"),
        ("icmp_code", True, "valid integer"),
        ("icmp_rate", 0, "greater than 0"),
        ("hold_timeout", 0, "greater than 0"),
        ("hold_queue", 0, "greater than or equal to 1"),
        ("hold_queue", 1_000_001, "less than or equal to 1000000"),
        ("fallback", "hold", "'drop', 'icmp' or 'reset'"),
        ("pool_usage_low", -1, "greater than or equal to 0"),
        ("pool_usage_high", 101, "less than or equal to 100"),
        ("refresh_inbound", 1, "valid boolean"),
        ("refresh_inbound", "yes", "valid boolean"),
        ("external_addresses", 0, "from 1 to 254"),
        ("external_addresses", 300, "from 1 to 254"),
        ("external_addresses", [], "at least one"),
        ("external_addresses", "some", "valid list"),
        ("external_addresses", True, "valid list"),
        ("port_allocation_type", "guess", "choose from: random, sequential, preserving, blocks, linux-like, or "),
        ("port_allocation_type", "guess", "or give FILE.py:Class"),
        ("on_exhaustion", "panic", "choose from: drop, icmp, reset, evict-lru, hold, or give FILE.py:Class"),
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
    ids=lambda value: "huge" if value == 16**5000 else str(value),
)
def test_a_wrong_value_is_refused_with_the_key_the_value_and_the_way_out(
    setting: str, value: object, reason: str
) -> None:
    """The refusal is one sentence, before anything starts."""
    told = refusal(**{setting: value})

    assert told.startswith(f"setting {setting}={shown(value)} is not possible: ")
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
        (["192.0.2.1", "224.0.0.1"], "224.0.0.1 is multicast"),
        (["127.0.0.1"], "127.0.0.1 is loopback"),
        (["0.0.0.0"], "0.0.0.0 is unspecified"),
        ([1], "0.0.0.1 is unspecified"),
        (["169.254.1.1"], "169.254.1.1 is link-local"),
        (["240.0.0.1"], "240.0.0.1 is reserved"),
        (["255.255.255.255"], "255.255.255.255 is reserved"),
    ],
    ids=[
        "twice the same",
        "no address",
        "IPv6",
        "multicast",
        "loopback",
        "unspecified",
        "a number in a list",
        "link-local",
        "reserved",
        "broadcast",
    ],
)
def test_a_wrong_list_of_addresses_is_refused(addresses: list[str], told_of: str) -> None:
    """The refusal names the wrong address."""
    told = refusal(external_addresses=addresses)

    assert told.startswith("setting external_addresses=")
    assert told_of in told


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("prots", "did you mean 'ports'?"),
        ("udp_timout", "did you mean 'udp_timeout'?"),
        ("zzz", "choose from: address_allocation_type, evict_only_idle_for, "),
    ],
)
def test_an_unknown_setting_is_refused_with_what_may_have_been_meant(key: str, hint: str) -> None:
    """The refusal offers a close match, or the whole list."""
    told = refusal(**{key: 1})

    assert told.startswith(f"setting {key!r} is unknown: ")
    assert hint in told


def test_every_fault_is_told_at_once() -> None:
    """Each fault has its sentence, so that one try shows all of them."""
    assert len(refusal(ports=0, udp_timeout=0, nonsense=1).splitlines()) == 3


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (3, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        (["192.0.2.9"], ["192.0.2.9"]),
        (["192.0.2.1", "192.0.2.7", "192.0.2.200"], ["192.0.2.1", "192.0.2.7", "192.0.2.200"]),
    ],
    ids=["number", "list", "with gaps"],
)
def test_external_addresses_are_a_number_or_a_list(given: object, read: list[str]) -> None:
    """A number counts from 192.0.2.1 upward."""
    settings = Settings.model_validate({"external_addresses": given})

    assert [str(address) for address in settings.external_addresses] == read


def test_the_core_gets_scaled_times_and_looked_up_names() -> None:
    """`time_scale` multiplies every timer; the rest of a freed port is the switch's matter, and is not scaled."""
    settings = Settings(ports=4, time_scale=0.5, tcp_rst_timeout=10, hold_timeout=1).for_nat()

    assert settings.ports == range(1024, 1028)
    assert settings.external_addresses == (int(ipaddress.IPv4Address("192.0.2.1")),)
    assert settings.allocator is RandomAllocator
    assert settings.on_exhaustion is DropPolicy
    assert settings.pooling is Paired
    assert (settings.udp_timeout, settings.icmp_timeout, settings.hold_down_timeout) == (150, 30, 60)
    assert (settings.hold_timeout, settings.port_set_timeout) == (0.5, 30)
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


def test_the_core_gets_every_setting_by_its_own_name() -> None:
    """Each value differs from its default and from the others, so that none can be taken for another."""
    settings = Settings.model_validate(
        {
            "mapping_type": "edm",
            "filtering_type": "edf",
            "port_overlapping": "address",
            "address_allocation_type": "roundrobin",
            "port_allocation_type": "linux-like",
            "port_set_size": 2,
            "port_set_timeout": 3,
            "on_exhaustion": "evict-lru",
            "fallback": "reset",
            "hold_timeout": 4,
            "hold_queue": 5,
            "port_quota": 6,
            "port_quota_tcp": 7,
            "port_quota_udp": 8,
            "port_quota_icmp": 9,
            "limit_port_mappings": 10,
            "limit_sessions": 11,
            "limit_subscribers": 12,
            "new_mapping_rate_per_subscriber": 0.5,
            "pool_usage_low": 13,
            "pool_usage_high": 14,
            "hold_down_max": 15,
            "refresh_inbound": True,
        }
    ).for_nat()

    assert settings.mapping is Dependence.ADDRESS_AND_PORT
    assert settings.filtering is Dependence.ADDRESS_AND_PORT
    assert settings.overlapping is Dependence.ADDRESS
    assert settings.pooling is RoundRobin
    assert settings.allocator is LinuxLikeAllocator
    assert (settings.port_set_size, settings.port_set_timeout) == (2, 3)
    assert settings.on_exhaustion is EvictLruPolicy
    assert settings.fallback is Answer.RESET
    assert (settings.hold_timeout, settings.hold_queue) == (4, 5)
    assert settings.port_quota == 6
    assert settings.port_quotas == {Protocol.TCP: 7, Protocol.UDP: 8, Protocol.ICMP: 9}
    assert (settings.limit_port_mappings, settings.limit_sessions, settings.limit_subscribers) == (10, 11, 12)
    assert settings.new_mapping_rate_per_subscriber == 0.5
    assert (settings.pool_usage_low, settings.pool_usage_high) == (13, 14)
    assert settings.hold_down_max == 15
    assert settings.refresh_inbound is True


def test_a_setting_in_force_is_scaled_if_it_is_a_time() -> None:
    """Whatever its name: its unit says it."""
    settings = Settings(time_scale=0.5)

    assert (settings.in_force("hold_down_timeout"), settings.in_force("hold_timeout")) == (60, 0.4)
    assert settings.in_force("new_mapping_rate_per_subscriber") is None
    assert (settings.in_force("icmp_rate"), settings.in_force("ports")) == (1000, 64_512)


@pytest.mark.parametrize("name", ALLOCATORS)
def test_our_allocators_give_every_port(name: str) -> None:
    """The capacity is that of all addresses."""
    settings = Settings(port_allocation_type=name, ports=100, port_set_size=8, external_addresses=3)

    assert (settings.capacity_of_address, settings.capacity) == (100, 300)


def test_a_capacity_that_was_asked_changes_nothing_else() -> None:
    """Neither what is equal, nor what is written, nor what is copied."""
    settings = Settings(ports=8)
    assert settings.capacity == 8

    assert settings == Settings(ports=8)
    assert settings.model_dump() == Settings(ports=8).model_dump()
    assert settings.model_copy(update={"ports": 4}).capacity == 4


# Static mappings and untranslated destinations

STATIC = "tcp 192.0.2.1:1080 10.0.0.1:80"


def test_static_mappings_are_read_for_the_core_and_written_as_they_were() -> None:
    """Spaces do not matter, and one needs no list."""
    settings = Settings.model_validate({"static_mappings": "udp   192.0.2.1:1080 10.0.0.1:53", "ports": 100})

    assert settings.static_mappings == ["udp 192.0.2.1:1080 10.0.0.1:53"]
    assert settings.for_nat().static_mappings == (
        StaticMapping(Protocol.UDP, Endpoint.parse("192.0.2.1:1080"), Endpoint.parse("10.0.0.1:53")),
    )
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["icmp 192.0.2.1:1080 10.0.0.1:80"], "write tcp or udp, the external endpoint, and the internal one"),
        (["tcp 192.0.2.1:1080"], "write tcp or udp, the external endpoint, and the internal one"),
        (["tcp 192.0.2.1 10.0.0.1:80"], "'192.0.2.1' is no endpoint; write an address and a port from 1 to 65535"),
        (["tcp 192.0.2.1:1080 10.0.0.1:+80"], "'10.0.0.1:+80' is no endpoint"),
        (["tcp 192.0.2.1:1080 10.0.0.1:65536"], "'10.0.0.1:65536' is no endpoint"),
        (["tcp 192.0.2.1:1080 127.0.0.1:80"], "127.0.0.1 is loopback"),
        (["tcp 192.0.2.2:1080 10.0.0.1:80"], "192.0.2.2:1080 is at no external address; take one of 192.0.2.1"),
        (["tcp 192.0.2.1:1023 10.0.0.1:80"], "with ports=100: take an external port from 1024 to 1123"),
        (["tcp 192.0.2.1:1124 10.0.0.1:80"], "with ports=100: take an external port from 1024 to 1123"),
        (["tcp 192.0.2.1:1080 192.0.2.1:80"], "192.0.2.1:80 is at an external address; take an inside host's"),
        ([STATIC, "tcp 192.0.2.1:1081 10.0.0.1:80"], "10.0.0.1:80 has another static mapping"),
        ([STATIC, "tcp 192.0.2.1:1080 10.0.0.2:80"], "192.0.2.1:1080 has another static mapping"),
    ],
)
def test_a_static_mapping_that_cannot_be_is_refused(given: list[str], words: str) -> None:
    """The refusal names the key, the value and the way out."""
    told = refusal(static_mappings=given, ports=100)

    assert told.startswith("setting static_mappings=")
    assert words in told


def test_two_protocols_may_have_the_same_endpoints() -> None:
    """Their ports are different things with the same numbers."""
    assert len(Settings(static_mappings=[STATIC, STATIC.replace("tcp", "udp")]).static_mappings) == 2


def test_static_mappings_need_mappings_that_do_not_depend_on_the_destination() -> None:
    """Such a mapping is endpoint-independent by its nature."""
    assert "take mapping_type=eim" in refusal(static_mappings=[STATIC], mapping_type="adm")


@pytest.mark.parametrize("network", ["0.0.0.0/0", "224.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "240.0.0.0/4"])
def test_untranslated_destinations_are_networks_of_hosts(network: str) -> None:
    """Whatever else is sent there leaves nobody's network."""
    assert "is no network of hosts outside; choose one" in refusal(untranslated_destinations=[network])


def test_an_external_address_cannot_be_an_untranslated_destination() -> None:
    """Packets to it are translated by their very meaning."""
    assert "the external address 192.0.2.1, which is in it" in refusal(untranslated_destinations="192.0.2.0/24")


def test_a_host_s_bits_are_refused_in_a_network() -> None:
    """It may be a mistake."""
    assert "has host bits set; write a network, such as" in refusal(untranslated_destinations=["198.51.100.1/24"])


ON_NOTHING, ON_ADDRESS, ON_BOTH = Dependence.INDEPENDENT, Dependence.ADDRESS, Dependence.ADDRESS_AND_PORT


@pytest.mark.parametrize(("mapping", "maps"), [("eim", ON_NOTHING), ("adm", ON_ADDRESS), ("edm", ON_BOTH)])
@pytest.mark.parametrize(("filtering", "filters"), [("eif", ON_NOTHING), ("adf", ON_ADDRESS), ("edf", ON_BOTH)])
def test_behaviours_are_called_as_in_rfc_8512(
    mapping: str, maps: Dependence, filtering: str, filters: Dependence
) -> None:
    """RFC 4787 sections 4.1 and 5, in the words of RFC 8512; each independent of the other."""
    settings = Settings.model_validate({"mapping_type": mapping, "filtering_type": filtering}).for_nat()

    assert (settings.mapping, settings.filtering) == (maps, filters)


@pytest.mark.parametrize(
    ("value", "depends_on"),
    [
        ("off", Dependence.INDEPENDENT),
        (False, Dependence.INDEPENDENT),
        ("address", Dependence.ADDRESS),
        ("endpoint", Dependence.ADDRESS_AND_PORT),
    ],
    ids=["off", "off as YAML reads it", "address", "endpoint"],
)
def test_ports_overlap_as_far_as_the_setting_says(value: object, depends_on: Dependence) -> None:
    """RFC 7857 section 3: ports overlap toward other addresses, or toward other endpoints."""
    settings = Settings.model_validate({"port_overlapping": value, "mapping_type": "edm", "filtering_type": "edf"})

    assert settings.for_nat().overlapping is depends_on


# What contradicts itself


@pytest.mark.parametrize("mapping", ["eim", "adm", "edm"])
@pytest.mark.parametrize("filtering", ["eif", "adf", "edf"])
@pytest.mark.parametrize("overlapping", ["off", "address", "endpoint"])
def test_ports_overlap_only_where_every_packet_from_outside_has_one_owner(
    overlapping: str, mapping: str, filtering: str
) -> None:
    """RFC 7857 section 3: different addresses need adm and adf at least; different endpoints need edm and edf."""
    values = {"port_overlapping": overlapping, "mapping_type": mapping, "filtering_type": filtering}
    enough: dict[str, set[str]] = {
        "off": {"eim", "adm", "edm", "eif", "adf", "edf"},
        "address": {"adm", "edm", "adf", "edf"},
        "endpoint": {"edm", "edf"},
    }

    if {mapping, filtering} <= enough[overlapping]:
        assert checked(Settings, values, kind="setting").port_overlapping == overlapping
    else:
        assert f"setting port_overlapping={overlapping!r} is not possible with " in refusal(**values)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"port_overlapping": "address", "filtering_type": "adf"},
            "setting port_overlapping='address' is not possible with mapping_type='eim': a packet from "
            "outside could be meant for two inside hosts (RFC 7857 section 3); "
            "take mapping_type=adm or edm, or port_overlapping=off",
        ),
        (
            {"port_overlapping": "endpoint", "mapping_type": "edm", "filtering_type": "adf"},
            "setting port_overlapping='endpoint' is not possible with filtering_type='adf': a packet from outside "
            "could be meant for two inside hosts (RFC 7857 section 3); "
            "take filtering_type=edf, or port_overlapping=off",
        ),
        (
            {"port_allocation_type": "blocks", "ports": 256},
            "setting port_set_size=512 is not possible with ports=256 and port_allocation_type='blocks': "
            "there would be no whole block; take at most 256, such as port_set_size=32",
        ),
        (
            {"port_allocation_type": "blocks", "ports": 1, "port_set_size": 2},
            "setting port_set_size=2 is not possible with ports=1 and port_allocation_type='blocks': there would "
            "be no whole block; take at most 1, such as port_set_size=1",
        ),
        (
            {"log": "blocks"},
            "setting log='blocks' is not possible with port_allocation_type='random': the ports of a block would "
            "be several subscribers'; take port_allocation_type=blocks, or log=mappings",
        ),
        (
            {"pool_usage_low": 88},
            "setting pool_usage_low=88 is not possible with pool_usage_high=88: usage would be low and high "
            "at once; take a pool_usage_low below pool_usage_high",
        ),
    ],
    ids=["mapping", "filtering", "block too large", "smallest pool", "log", "thresholds"],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, Any], told: str) -> None:
    """The refusal has both keys, both values, the reason and the way out."""
    assert refusal(**values) == told


def test_every_contradiction_is_told_at_once() -> None:
    """Each contradiction has its sentence."""
    told = refusal(port_overlapping="address", pool_usage_low=90).splitlines()

    assert [line.partition(" is not possible with ")[0] for line in told] == [
        "setting port_overlapping='address'",
        "setting port_overlapping='address'",
        "setting pool_usage_low=90",
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"ports": 256},
        {"ports": 256, "port_set_size": 256, "port_allocation_type": "blocks"},
        {"port_quota": 10, "port_quota_tcp": 20},
        {"pool_usage_low": 87, "pool_usage_high": 87.5},
        {"fallback": "icmp", "on_exhaustion": "drop"},
    ],
    ids=["blocks that nobody uses", "one block", "a quota never reached", "near", "a fallback never needed"],
)
def test_what_is_only_of_no_use_is_allowed(values: dict[str, Any]) -> None:
    """A setting without effect does no harm."""
    checked(Settings, values, kind="setting")


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    """A refusal is short enough to be read."""
    assert len(refusal(mapping_type=["x"] * 10_000)) < 400
