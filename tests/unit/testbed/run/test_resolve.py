"""From what the user typed to a run in which everything is decided: what wins, and what is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from controller.settings import PROFILES, ConfigurationError, Settings
from testbed.experiment.plan import Run
from testbed.registry import SCENARIOS, ours
from testbed.run.choices import Choices
from testbed.run.naming import words
from testbed.run.resolve import resolve
from topologies.gateways.netfilter import facts

pytestmark = pytest.mark.usefixtures("usual_machine")

BIG = {"azure-nat-gateway", "azure-load-balancer", "gcp-cloud-nat", "gcp-cloud-nat-dynamic"}
"""The profiles that reserve more ports, or let them rest for longer, than some scenarios can have."""


def resolved(*sets: str, config: Path | None = None, **choices: Any) -> Run:
    """Resolve the scenario port-exhaustion, or what `choices` name."""
    scenario, gateway = choices.pop("scenario", "port-exhaustion"), choices.pop("gateway", "openflow")
    chosen = Choices(config=config, sets=list(sets), **choices)
    return resolve(scenario, gateway, chosen, datapath="userspace")


def refusal(*sets: str, **choices: Any) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        resolved(*sets, **choices)
    return str(refused.value)


# What is decided


def test_a_scenarios_defaults_make_a_run_by_themselves() -> None:
    """`lastport run port-exhaustion`: 256 ports, 8 clients, a quarter more attempts than ports."""
    run = resolved()

    assert run.settings.ports == 256
    assert run.parameters["clients"] == 8
    assert run.parameters["attempts"] == 320
    assert run.parameters["protocol"] == "tcp"


def test_attempts_follow_the_ports() -> None:
    """The default is a quarter more than the ports of all addresses together, rounded up."""
    assert resolved("ports=10").parameters["attempts"] == 13
    assert resolved("ports=10", "external_addresses=2").parameters["attempts"] == 25
    assert resolved("ports=10", "attempts=3").parameters["attempts"] == 3


def test_idle_timers_outlast_the_fill() -> None:
    """No timer fires in the middle of a fill, unless the user wants it."""
    assert resolved("ports=400", "attempts=4000").settings.udp_timeout == 12
    assert resolved("ports=400", "attempts=4000", "udp_timeout=5").settings.udp_timeout == 5


def test_a_later_source_of_a_setting_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is: profile, the scenario's defaults, the file, --set."""
    monkeypatch.setitem(
        PROFILES, "odd", {"ports": 1, "icmp_timeout": 11, "time_scale": 0.5, "tcp_idle_timeout": 120}
    )
    file = tmp_path / "settings.yaml"
    file.write_text("time_scale: 0.25\ntcp_rst_timeout: 21\ntcp_trans_open_timeout: 22\nclients: 4\n")

    run = resolved("tcp_trans_open_timeout=31", profile="odd", config=file)

    assert run.settings.tcp_idle_timeout == 120, "the profile, where nobody else says anything"
    assert run.settings.ports == 256, "the scenario over the profile"
    assert run.settings.time_scale == 0.25, "the file over the profile"
    assert run.settings.tcp_rst_timeout == 21, "the file over the scenario"
    assert run.settings.tcp_trans_open_timeout == 31, "--set over the file"
    assert run.parameters["clients"] == 4, "a file may hold parameters, too"


def test_the_last_of_two_equal_keys_wins() -> None:
    """Any command line works in this way."""
    assert resolved("ports=8", "ports=16").settings.ports == 16


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """Everything in it may be commented out."""
    file = tmp_path / "settings.yaml"
    file.write_text("# ports: 8\n")

    assert resolved(config=file).settings == resolved().settings


def test_a_run_describes_itself_in_one_name_space() -> None:
    """Parameters and settings together, as `--set` takes them, ready for JSON."""
    described = resolved("ports=8").described()

    assert (described["ports"], described["clients"]) == (8, 8)
    assert described["external_addresses"] == ["192.0.2.1"]


def test_a_run_survives_the_way_into_the_sandbox() -> None:
    """JSON carries a run there."""
    run = resolved("ports=8", "external_addresses=2")

    assert Run.model_validate_json(run.model_dump_json()) == run


def test_a_file_is_named_so_that_it_means_the_same_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox has a working folder of its own."""
    (tmp_path / "mine.py").write_text(
        "from testbed.api import Scenario\n"
        "class Mine(Scenario):\n    '''Why?'''\n    name = claim = 'mine'\n    def run(self, x): ...\n"
    )
    monkeypatch.chdir(tmp_path)

    assert resolved(scenario="mine.py:Mine").scenario == f"{tmp_path}/mine.py:Mine"
    assert resolved().scenario == "port-exhaustion"


ALLOCATOR = """
from controller.nat.strategies.allocators.random_ import RandomAllocator

class Mine(RandomAllocator):
    pass
"""


def test_an_allocator_of_ones_own_is_named_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller has a working folder of its own; the command line and a file are treated alike."""
    (tmp_path / "mine.py").write_text(ALLOCATOR)
    (tmp_path / "settings.yaml").write_text("port_allocation_type: mine.py:Mine\n")
    monkeypatch.chdir(tmp_path)
    path = f"{tmp_path}/mine.py:Mine"

    assert resolved("port_allocation_type=mine.py:Mine").settings.port_allocation_type == path
    assert resolved(allocator="mine.py:Mine").settings.port_allocation_type == path
    assert resolved(config=Path("settings.yaml")).settings.port_allocation_type == path


def test_the_option_allocator_is_short_for_a_setting(tmp_path: Path) -> None:
    """It counts like `--set`, which is later than the file; the same value in both is no contradiction."""
    file = tmp_path / "settings.yaml"
    file.write_text("port_allocation_type: preserving\n")

    assert resolved(allocator="sequential").settings.port_allocation_type == "sequential"
    assert resolved(allocator="sequential", config=file).settings.port_allocation_type == "sequential"
    twice = resolved("port_allocation_type=sequential", allocator="sequential")
    assert twice.settings.port_allocation_type == "sequential"


def test_the_same_allocator_may_be_given_by_two_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two paths of one file do not contradict each other."""
    (tmp_path / "mine.py").write_text(ALLOCATOR)
    monkeypatch.chdir(tmp_path)

    run = resolved(f"port_allocation_type={tmp_path}/mine.py", allocator="mine.py")

    assert run.settings.port_allocation_type == f"{tmp_path}/mine.py"


def test_a_file_may_switch_off_what_yaml_takes_for_a_boolean(tmp_path: Path) -> None:
    """`off`, in a file and on the command line, over a profile that switches it on."""
    file = tmp_path / "settings.yaml"
    file.write_text("port_overlapping: off\n")

    assert resolved(profile="overlap").settings.port_overlapping == "endpoint"
    assert resolved(profile="overlap", config=file).settings.port_overlapping == "off"
    assert resolved("port_overlapping=off", profile="overlap").settings.port_overlapping == "off"


def test_a_limit_may_be_taken_away() -> None:
    """The value `null` stands for no limit."""
    assert resolved(profile="cgn").settings.port_quota == 1024
    assert resolved("port_quota=null", profile="cgn").settings.port_quota is None


def test_external_addresses_need_not_be_neighbours() -> None:
    """The command line takes a list of them."""
    run = resolved("external_addresses=[192.0.2.1,192.0.2.7,192.0.2.200]", "clients=3")

    assert run.described()["external_addresses"] == ["192.0.2.1", "192.0.2.7", "192.0.2.200"]


@pytest.mark.parametrize("profile", sorted(PROFILES.keys() - BIG))
def test_every_profile_goes_with_every_scenario(profile: str) -> None:
    """A scenario's own defaults come after the profile, and do not contradict it."""
    for name in SCENARIOS:
        assert resolved(scenario=name, profile=profile).profile == profile


@pytest.mark.parametrize("profile", sorted(BIG))
def test_a_profile_too_big_for_a_scenarios_few_ports_is_refused_with_a_way_out(profile: str) -> None:
    """With more ports and quicker timers, it goes."""
    for name in SCENARIOS:
        with contextlib.suppress(ConfigurationError):
            assert resolved(scenario=name, profile=profile).profile == profile
            continue
        with pytest.raises(ConfigurationError, match=f"profile {profile} is not possible with {name}, .*; take "):
            resolved(scenario=name, profile=profile)
    assert resolved("ports=2048", "clients=2", "time_scale=0.02", profile=profile).profile == profile


def test_no_name_is_both_a_setting_and_a_parameter() -> None:
    """`--set` has one flat name space."""
    both = {
        name: set(scenario.Parameters.model_fields) & set(Settings.model_fields)
        for name, scenario in ours("scenario").items()
    }

    assert [name for name, names in both.items() if names] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_defaults_of_every_scenario_make_sense(name: str) -> None:
    """A user who sets nothing meets no error."""
    assert resolved(scenario=name).scenario == name


def test_a_scenario_takes_another_default_where_the_gateway_cannot_follow_its_first() -> None:
    """A value that the user sets is still the gateway's to refuse."""
    assert resolved(scenario="hold-and-retry").settings.on_exhaustion == "hold"
    assert resolved(scenario="hold-and-retry", gateway="netfilter").settings.on_exhaustion == "drop"
    assert "take on_exhaustion=drop" in refusal(
        "on_exhaustion=hold", scenario="hold-and-retry", gateway="netfilter"
    )


# What is refused


@pytest.mark.parametrize(
    ("scenario", "way_out"), [("two-nats", "--topology carrier"), ("hole-punching", "--topology two-homes")]
)
def test_a_network_without_the_gateways_of_the_question_is_refused(scenario: str, way_out: str) -> None:
    """The refusal names the networks that have them."""
    told = refusal(scenario=scenario, topology="home")

    assert "lacks the gateways " in told
    assert way_out in told


@pytest.mark.parametrize(
    ("text", "told_of"),
    [
        ("ports=0", ["setting ports=0", "from 1 to 64512"]),
        ("ports=", ["setting ports=null", "take 1 to 64,512, ranges such as"]),
        ("ports=many", ["setting ports='many'", "take 1 to 64,512, ranges such as"]),
        ("ports=[4096-4111,4100]", ["setting ports=['4096-4111', 4100]", "take each port once"]),
        ("ports={psid: 1}", ["setting ports={'psid': 1}", "give psid_offset, psid_len and psid"]),
        ("ports=yes", ["setting ports=true"]),
        ("ports=64513", ["setting ports=64513", "64512"]),
        ("prots=8", ["setting 'prots' is unknown", "did you mean 'ports'?"]),
        ("client=8", ["setting 'client' is unknown", "did you mean 'clients'?"]),
        ("external_addresses=0", ["setting external_addresses=0", "from 1 to 254"]),
        ("external_addresses=300", ["setting external_addresses=300", "from 1 to 254"]),
        ("external_addresses=[10.0.0.9]", ["setting external_addresses: 10.0.0.9", "10.0.0.0/16", "192.0.2.1"]),
        ("external_addresses=[192.0.2.1, 192.0.2.1]", ["setting external_addresses=", "none twice"]),
        ("external_addresses=[224.0.0.1]", ["setting external_addresses='224.0.0.1'", "multicast"]),
        ("icmp_code=5", ["setting icmp_code=5", "choose from: 13, 1"]),
        (
            "on_exhaustion=evict",
            ["setting on_exhaustion='evict'", "choose from: drop, icmp, reset, evict-lru, hold"],
        ),
        ("on_exhaustion=none.py:Mine", ["policy '", "/none.py': there is no such file"]),
        ("port_allocation_type=none.py", ["allocator '", "/none.py': there is no such file"]),
        (
            "port_overlapping=address",
            ["mapping_type='eim'", "take mapping_type=adm or edm", "filtering_type='eif'"],
        ),
        ("port_overlapping=on", ["setting port_overlapping=true", "'off', 'address' or 'endpoint'"]),
        ("port_set_size=70000", ["setting port_set_size=70000", "64512"]),
        ("pool_usage_high=60", ["pool_usage_low=60", "pool_usage_high=60"]),
        ("limit_session=8", ["setting 'limit_session' is unknown", "did you mean 'limit_sessions'?"]),
        ("external_addresses=3", ["clients=8", "external_addresses=3", "multiple"]),
        ("time_scale=0", ["setting time_scale=0", "greater than 0"]),
        ("time_scale=.nan", ["setting time_scale=nan", "finite number"]),
        ("clients=0", ["parameter clients=0", "greater than or equal to 1"]),
        ("clients=70000", ["parameter clients=70000", "1 to 65,533 clients"]),
        ("attempts=0", ["parameter attempts=0", "greater than or equal to 1"]),
        ("attempts=10000000", ["clients=8", "attempts=10000000", "take clients=156, or fewer attempts"]),
        ("protocol=sctp", ["parameter protocol='sctp'", "'tcp', 'udp' or 'icmp'"]),
        ("ports", ["--set 'ports' is not KEY=VALUE"]),
        ("=8", ["--set '=8' is not KEY=VALUE"]),
        ("ports=[", ["--set 'ports=['", "cannot be read: a bracket is open; close it, and quote the value"]),
        ("ports={a: 1", ["cannot be read: a bracket is open"]),
        ("ports=2020-13-45", ["--set 'ports=2020-13-45'", "cannot be read"]),
        ("ports=0x_", ["--set 'ports=0x_'", "cannot be read"]),
        (f"ports=0x{'f' * 5000}", ["setting ports=(a huge number)", "64512"]),
        (f"ports={'9' * 5000}", ["--set 'ports=9", "cannot be read"]),
        (f"ports={'[' * 5000}", ["--set 'ports=[", "cannot be read"]),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_wrong_assignment_is_refused_with_the_key_the_value_and_the_way_out(
    text: str, told_of: list[str]
) -> None:
    """The refusal comes before anything starts."""
    told = refusal(text)

    assert [words for words in told_of if words not in told] == [], told


@pytest.mark.parametrize(
    "text", ["ports=[4096-4111,8192-8207", "ports={", "ports='4096", "ports=a: b: c", "ports=\0"]
)
def test_a_value_that_cannot_be_read_gets_one_line(text: str) -> None:
    """PyYAML's own words are five, with a picture."""
    assert "\n" not in refusal(text)


@pytest.mark.parametrize("scenario", ["port-exhaustion", "client-exhaustion", "refusal-signals", "two-nats"])
def test_clients_do_not_give_up_before_a_held_packet_is_refused(scenario: str) -> None:
    """The timeout would otherwise be the client's own, and no answer of the NAT."""
    sets = ("on_exhaustion=hold", "fallback=icmp", "hold_timeout=3")

    told = refusal(*sets, scenario=scenario)

    assert "hold_timeout=3" in told
    assert "take patience=3.5 or more" in told
    assert resolved(*sets, "patience=3.5", scenario=scenario).settings.hold_timeout == 3
    assert resolved("hold_timeout=3", scenario=scenario).settings.hold_timeout == 3, "nothing is held"


@pytest.mark.parametrize(("gateway", "is_possible"), [("openflow", True), ("netfilter", True), ("ovs-ct", False)])
def test_a_small_link_is_for_gateways_that_tell_of_it(gateway: str, is_possible: bool) -> None:
    """Any other would lose packets without a word (RFC 4787 REQ-13)."""
    if is_possible:
        assert resolved("outside_mtu=1200", gateway=gateway).parameters["outside_mtu"] == 1200
    else:
        assert refusal("outside_mtu=1200", gateway=gateway).startswith("outside_mtu=1200 is not possible with")
    assert resolved(gateway=gateway).parameters["outside_mtu"] == 1500


def test_what_passes_untranslated_needs_links_with_room_for_it() -> None:
    """Rules alone forward it, and nobody would see that it is too large."""
    told = refusal("outside_mtu=1200", "untranslated_destinations=198.51.100.0/24", scenario="hole-punching")

    assert told.startswith("outside_mtu=1200 is not possible with untranslated_destinations: ")


NOBODYS = ["10.0.255.254", "10.0.255.255", "10.9.9.9", "8.8.8.8", "203.0.113.1"]
"""The gateway's, the LAN's broadcast address, one that nobody has, and two outside."""


@pytest.mark.parametrize("address", NOBODYS)
def test_a_static_mapping_is_for_an_inside_host(address: str) -> None:
    """Otherwise the gateway would send packets from outside back to the outside, or to nobody."""
    told = refusal(f"static_mappings=udp 192.0.2.1:1030 {address}:53", scenario="hole-punching", topology="home")

    assert told.startswith(f"setting static_mappings=[udp 192.0.2.1:1030 {address}:53] is not possible with this")
    assert "take an inside host's, such as 10.0.0.1" in told


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ("10.0.0.0/16", "the inside network 10.0.0.0/16"),
        ("0.0.0.0/1", "the inside network 10.0.0.0/16"),
        ("198.51.100.254/32", "the gateway's address 198.51.100.254"),
    ],
)
def test_what_passes_untranslated_is_outside(network: str, why: str) -> None:
    """Inside hosts reach one another without the NAT, and the gateway is no host."""
    told = refusal(f"untranslated_destinations={network}", scenario="hole-punching", topology="home")

    assert f"untranslated_destinations=[{network}] is not possible with this topology: {why} is in it" in told


@pytest.mark.parametrize("mtu", [575, 1501])
def test_a_small_link_has_room_for_what_every_host_takes(mtu: int) -> None:
    """From RFC 791's 576 bytes to Ethernet's 1,500."""
    assert f"outside_mtu={mtu} is not possible" in refusal(f"outside_mtu={mtu}")


def test_an_allocator_given_by_option_and_setting_must_be_the_same() -> None:
    """Neither `--allocator` nor `--set` is later than the other."""
    told = refusal("port_allocation_type=preserving", allocator="sequential")

    assert told.startswith(
        "--allocator sequential and --set port_allocation_type=preserving contradict each other: "
    )


def test_blocks_must_fit_into_the_ports() -> None:
    """The scenario's ports count where the user sets none."""
    told = refusal("port_set_size=300", allocator="blocks")

    assert told.startswith("setting port_set_size=300 is not possible with ports=256 and ")
    assert told.endswith("take at most 256, such as port_set_size=32")


@pytest.mark.parametrize(
    ("allocator", "told_of"),
    [
        ("sequentail", ["setting port_allocation_type='sequentail'", "sequential", "or give FILE.py:Class"]),
        ("none.py:Mine", ["allocator '", "/none.py': there is no such file"]),
    ],
    ids=["unknown", "no such file"],
)
def test_a_wrong_allocator_is_refused(allocator: str, told_of: list[str]) -> None:
    """The refusal is that of the setting `port_allocation_type`."""
    told = refusal(allocator=allocator)

    assert [words for words in told_of if words not in told] == [], told


def test_ranges_of_ports_are_written_in_a_list_or_as_a_psid() -> None:
    """On the command line as in a file; the run is named by them."""
    ranges = resolved("ports=[4096-4111,8192-8207]")
    psid = resolved("ports={psid: 0x34, psid_len: 8, psid_offset: 4}", "reserved_ports=[4930, 9024-9025]")

    assert (ranges.settings.ports, ranges.settings.port_count) == (["4096-4111", "8192-8207"], 32)
    assert psid.settings.port_count == 240 - 3
    assert psid.parameters["attempts"] == 297
    assert words(psid.chosen) == [
        "ports={psid_offset: 4, psid_len: 8, psid: 52}",
        "reserved_ports=4930,9024-9025",
    ]


@pytest.mark.parametrize(
    ("content", "told_of"),
    [
        (b"ports: [", "is not a YAML file"),
        (b"\xff\xfe\x00", "is not a YAML file"),
        (b"ports: 2020-13-45", "is not a YAML file"),
        (b"- ports\n- 8\n", "write one `key: value` on each line"),
        (b"just words", "write one `key: value` on each line"),
        (b"1: 2", "write one `key: value` on each line"),
        (b"prots: 8", "did you mean 'ports'?"),
        (b"ports: 0", "from 1 to 64512"),
    ],
    ids=[
        "half a list",
        "binary",
        "no such day",
        "a list",
        "words",
        "numbers for keys",
        "unknown key",
        "wrong value",
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes, told_of: str) -> None:
    """The refusal names the file, or the key that is wrong in it."""
    file = tmp_path / "settings.yaml"
    file.write_bytes(content)

    assert told_of in refusal(config=file)


@pytest.mark.parametrize(("size", "is_refused"), [("1048576", False), ("4194304", True)])
def test_a_kernels_table_that_is_too_large_is_not_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, is_refused: bool
) -> None:
    """The refusal has its size, where that is set, and the way out; a limit of one's own is always possible."""
    (tmp_path / "max").write_text(f"{size}\n")
    monkeypatch.setattr(facts, "TABLE_SIZE", tmp_path / "max")
    resolved(scenario="state-exhaustion", gateway="netfilter")
    kernels = ("limit_sessions=null",)

    if is_refused:
        told = refusal(*kernels, scenario="state-exhaustion", gateway="netfilter")
        assert "4,194,304 connections (net.netfilter.nf_conntrack_max)" in told
        assert "take a limit_sessions below" in told
    else:
        resolved(*kernels, scenario="state-exhaustion", gateway="netfilter")


@pytest.mark.parametrize(("name", "reason"), [("none.yaml", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    """The refusal has the reason."""
    told = refusal(config=tmp_path / name)

    assert told.startswith(f"--config {tmp_path / name}: ")
    assert reason in told


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("scenario", "port-exhaustoin", "did you mean 'port-exhaustion'?"),
        ("scenario", "x", "choose from: "),
        ("gateway", "opneflow", "did you mean 'openflow'?"),
        ("topology", "hom", "did you mean 'home'?"),
        ("profile", "plane", "did you mean 'plain'?"),
    ],
)
def test_an_unknown_name_is_refused_with_what_may_have_been_meant(kind: str, name: str, hint: str) -> None:
    """Names of every kind are looked up alike."""
    told = refusal(**{kind: name})

    assert told.startswith(f"{kind} {name!r} is unknown: {hint}")


@pytest.mark.parametrize("name", ["shell", "exec"])
def test_what_a_command_asks_is_not_run(name: str) -> None:
    """It is none of the catalogue's, and the sentence has the command."""
    assert refusal(scenario=name) == f"{name} is no scenario, but a command of its own; see lastport {name} -h"
    assert resolve(name, "openflow", Choices(by_command=True), datapath="userspace").scenario == name


@pytest.mark.parametrize("name", ["shell", "exec"])
@pytest.mark.parametrize("limit", ["port_quota=1", "limit_sessions=2", "udp_timeout=0.5", "hold_queue=1"])
def test_a_limit_that_bites_is_welcome_where_nothing_is_asked(name: str, limit: str) -> None:
    """Nothing is expected of the NAT there, so that nothing has to be reckoned with."""
    plan = resolve(name, "openflow", Choices(sets=[limit], by_command=True), datapath="userspace")

    assert plan.chosen.keys() == {limit.partition("=")[0]}
