"""A gateway that is asked for its table, and whose settings change while it works: on the wire, and in rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.nat.model import Protocol
from controller.openflow.asking import answer
from controller.openflow.recorder import Recorder
from controller.recording import RECORD, Kind, RecordingPlan
from controller.settings import Settings
from tests.support.network import EXTERNAL, Network, tcp, udp

SERVER, MIRROR = "198.51.100.1:7", "203.0.113.1:7"


def connect(network: Network, name: str, port: int = 40000) -> list[str]:
    """Let a host send a first segment, and return where it arrives."""
    return [each.host for each in network.send(name, tcp(network, network.hosts[name], port, SERVER))]


def change(network: Network, **settings: Any) -> bool:
    """Change some settings, and return whether all mappings stay."""
    changed = Settings.model_validate({**network.router.configuration.settings.model_dump(), **settings})
    stays = answer(network.router, {"settings": changed.model_dump(mode="json")}, network.now)["stays"]
    network._settle()
    return bool(stays)


def test_a_smaller_quota_stops_the_next_connection_and_no_rule_is_touched() -> None:
    """Packets of the connection that is there go on by the same rules."""
    network = Network(ports=8)
    assert connect(network, "alice") == ["server"]
    rules = network.mapping_rules()

    assert change(network, port_quota=1)

    assert network.mapping_rules() == rules
    assert connect(network, "alice", 40001) == []
    assert network.router.nat.counters[Protocol.TCP].dropped_port_limit_packets == 1
    assert connect(network, "bob") == ["server"]
    assert len(network.mapping_rules()) == 4


def test_an_answer_is_chosen_anew() -> None:
    """From `drop` to `icmp`, whose code was set as well; the errors sent so far are not forgotten."""
    network = Network(ports=1)
    connect(network, "alice")
    assert connect(network, "bob") == []

    assert change(network, on_exhaustion="icmp", icmp_code=1)

    (error,) = network.send("bob", tcp(network, network.bob, 40001, SERVER))
    assert (error.host, error.packet["ICMP"].code) == ("bob", 1)
    assert network.router.nat.counters[Protocol.TCP].dropped_port_packets == 2


def test_a_filter_that_rules_are_made_of_begins_the_nat_anew() -> None:
    """UDP's mapping rules let everybody in, so they cannot stay; the host's next packet makes a mapping again."""
    network = Network(ports=8)
    (out,) = network.send("alice", udp(network, network.alice, 40000, SERVER))
    external = out.packet["UDP"].sport

    assert not change(network, filtering_type="edf")

    assert network.mapping_rules() == set()
    assert len(network.router.nat) == 0
    assert network.router.nat.counters[Protocol.UDP].port_mapping_creations == 1
    assert network.send("server", udp(network, network.server, 7, f"{EXTERNAL}:{external}")) == []
    (again,) = network.send("alice", udp(network, network.alice, 40000, SERVER))
    mapped = again.packet["UDP"].sport
    assert network.send("mirror", udp(network, network.mirror, 7, f"{EXTERNAL}:{mapped}")) == []
    (answered,) = network.send("server", udp(network, network.server, 7, f"{EXTERNAL}:{mapped}"))
    assert answered.host == "alice"


def test_rules_that_stand_for_no_mapping_are_made_anew() -> None:
    """Source validation is one of the switch's own rules: without it, bob may send as alice."""
    network = Network(ports=8)
    forged = udp(network, network.bob, 40000, SERVER)
    forged["IP"].src = network.alice.address
    assert network.send("bob", forged) == []

    assert not change(network, source_validation=False)

    assert [each.host for each in network.send("bob", forged)] == ["server"]


def test_a_packet_that_waits_is_refused_when_settings_change() -> None:
    """Its sender gets the fallback's answer, and nobody holds its frame any more."""
    network = Network(ports=1, on_exhaustion="hold", fallback="icmp", hold_timeout=5)
    connect(network, "alice")
    assert connect(network, "bob") == []
    before = len(network._arrivals)

    assert change(network, port_quota=5)

    assert [each.host for each in network._arrivals[before:]] == ["bob"]
    assert network.tick(10.0) == []


def test_what_a_strangers_allocator_cannot_follow_is_refused_and_the_nat_goes_on(tmp_path: Path) -> None:
    """Nobody but the controller executes it, so nobody else can know before."""
    (tmp_path / "own.py").write_text("raise OSError('not with these')\n")
    network = Network(ports=8)
    settings = network.router.configuration.settings.model_dump(mode="json")
    own = {**settings, "port_allocation_type": str(tmp_path / "own.py")}

    told = answer(network.router, {"settings": own}, network.now)

    assert told == {"refused": f"allocator '{tmp_path / 'own.py'}': OSError: not with these"}
    assert connect(network, "alice") == ["server"]


def test_the_table_has_a_row_for_each_mapping_with_its_peers_and_its_last_use() -> None:
    """Endpoints are as a person writes them; the total is that of all, whatever is shown."""
    network = Network(ports=8)
    connect(network, "alice")
    connect(network, "bob")
    network.send("bob", udp(network, network.bob, 40000, SERVER))
    network.now += 2.0

    told = answer(network.router, {"table": {}, "most": 2}, network.now)
    assert (len(told["rows"]), told["total"]) == (2, 3)
    (row,) = answer(network.router, {"table": {"inside": ["10.0.0.1"]}}, network.now)["rows"]

    assert row == {
        "protocol": "tcp",
        "inside": "10.0.0.1:40000",
        "external": row["external"],
        "remote": SERVER,
        "state": "INIT",
        "idle": 2.0,
    }
    assert row["external"].startswith(f"{EXTERNAL}:")


def test_one_mapping_is_released_or_those_of_a_host_or_all_of_them() -> None:
    """The switch forgets their rules, and their ports rest."""
    network = Network(ports=8, clients=3, hold_down_timeout=0)
    for name in ("alice", "bob", "carol"):
        connect(network, name)
        connect(network, name, 40001)
    (first, *_) = answer(network.router, {"table": {"inside": ["10.0.0.1"]}}, network.now)["rows"]

    def release(**selection: Any) -> int:
        return int(answer(network.router, {"release": selection}, network.now)["released"])

    assert release(protocol="udp", external=first["external"]) == 0
    assert release(protocol="tcp", external=first["external"]) == 1
    assert release(inside=["10.0.0.2"]) == 2
    assert len(network.mapping_rules()) == 6
    assert release() == 3
    assert network.mapping_rules() == set()
    assert network.router.nat.pool.usage(Protocol.TCP).resting == 6


def test_a_static_mapping_is_in_the_table_and_is_not_released() -> None:
    """An operator has ordered it."""
    network = Network(ports=8, static_mappings=[f"tcp {EXTERNAL}:1030 10.0.0.1:80"])

    told = answer(network.router, {"table": {}, "release": {}}, network.now)
    (row,) = told["rows"]

    assert told["released"] == 0
    assert (row["state"], row["external"], row["idle"]) == ("static", f"{EXTERNAL}:1030", None)
    assert len(answer(network.router, {"table": {}}, network.now)["rows"]) == 1


@pytest.mark.parametrize("key", ["ports", "port_quota"])
def test_what_is_recorded_goes_on_after_a_change(key: str) -> None:
    """Mappings that end by it are released in the recording, and new ones are in it."""
    network = Network(ports=8, hold_down_timeout=0)
    external = map(int, network.configuration.settings.external_addresses)
    recorder = Recorder(RecordingPlan(0.0, 1, 1, 100), external)
    network.router.record(recorder, network.now)
    connect(network, "alice")

    stays = change(network, **{key: 4})
    connect(network, "bob")
    answer(network.router, {"release": {}}, network.now)
    network.tick(1.0)

    kinds = [Kind(row[1]) for row in RECORD.iter_unpack(recorder.batch.take()[0])]
    assert stays is (key == "port_quota")
    assert kinds.count(Kind.ALLOCATED) == 2
    assert kinds.count(Kind.RELEASED) == 2
    assert kinds.count(Kind.FREED) == 2, "ports that rest when the NAT begins anew are free"
