"""What goes over the wire to the switch: the same bytes under both frameworks, and as Open vSwitch reads them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.support.network import Network
from tests.support.paths import ROOT

FRAMEWORKS = {"ryu": "ryu", "os-ken": "os_ken"}
"""By the values of LASTPORT_FRAMEWORK, and their packages."""

Output = dict[str, Any]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Output]:
    """What `serialise` prints under each framework that is installed."""
    file = tmp_path_factory.mktemp("serialise") / "controller.yaml"
    Network(acquainted=False, external_addresses=2).configuration.save(file)
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-m", "tests.support.serialised_messages", str(file)],
            cwd=ROOT,
            env={**os.environ, "LASTPORT_FRAMEWORK": name, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        for name, package in FRAMEWORKS.items()
        if importlib.util.find_spec(package)
    }
    printed = {name: process.communicate(timeout=60)[0] for name, process in processes.items()}
    return {name: json.loads(text) for name, text in printed.items()}


def test_both_frameworks_send_the_same_bytes(outputs: dict[str, Output]) -> None:
    """Ryu 4.34 and os-ken: for everything that can be asked, and for every rule there can be."""
    if len(outputs) < 2:
        pytest.skip("needs Ryu and os-ken")
    ryu, os_ken = outputs["ryu"], outputs["os-ken"]

    assert ryu["version"] == "ryu 4.34"
    assert os_ken["version"].startswith("os-ken 4.")
    assert len(ryu["messages"]) > 40
    assert ryu["messages"] == os_ken["messages"]


def test_a_rules_owner_is_found_in_a_report_of_the_switch(outputs: dict[str, Output]) -> None:
    """Our reader of reports finds the flow, as much of its peer as its rules match, and its own packet count."""
    expected = [
        {"table": table, "packets": place, "protocol": protocol, "endpoint": endpoint, "peer": peer}
        for place, (protocol, peer, table, endpoint) in enumerate(
            (protocol, peer, table, endpoint)
            for protocol in ("TCP", "UDP")
            for peer in ("0.0.0.0:0", "198.51.100.1:0", "198.51.100.1:7")
            for table, endpoint in (("OUTBOUND", "10.0.0.1:40000"), ("INBOUND", "192.0.2.1:1024"))
        )
    ]

    assert {name: output["read"]["flows"] for name, output in outputs.items()} == dict.fromkeys(outputs, expected)


def test_rules_that_serve_no_flow_are_not_counted(outputs: dict[str, Output]) -> None:
    """Base rules and rules of neighbours are passed over, also among others."""
    for output in outputs.values():
        assert output["others"] > 20
        assert output["read"]["others"] == []
        assert [(count["packets"], count["peer"]) for count in output["read"]["mixed"]] == [
            (3, "0.0.0.0:0"),
            (output["others"] + 1, "198.51.100.1:7"),
        ]


def test_fields_that_are_of_no_interest_and_masks_are_passed_over(outputs: dict[str, Output]) -> None:
    """Whatever else a rule may match, what is read stays right; part of an address is none."""
    count = {
        "packets": 0,
        "table": "OUTBOUND",
        "protocol": "TCP",
        "endpoint": "10.0.0.1:40000",
        "peer": "0.0.0.0:0",
    }

    assert [output["read"]["unusual"] for output in outputs.values()] == [[count]] * len(outputs)


@pytest.fixture(scope="module")
def as_open_vswitch_reads_it(outputs: dict[str, Output], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every message in the words of Open vSwitch's own decoder."""
    if shutil.which("ovs-ofctl") is None:
        pytest.skip("needs ovs-ofctl")
    output = next(iter(outputs.values()))
    file = tmp_path_factory.mktemp("messages") / "messages"
    file.write_bytes(bytes.fromhex("".join(data for _, data in output["messages"])))
    done = subprocess.run(["ovs-ofctl", "ofp-parse", str(file)], capture_output=True, text=True, check=True)
    return re.sub(r"xid=0x[0-9a-f]+", "xid=", done.stdout).splitlines()


def test_open_vswitch_understands_every_message(as_open_vswitch_reads_it: list[str]) -> None:
    """No prerequisite is missing, and no mask is out of place."""
    assert [line for line in as_open_vswitch_reads_it if "error" in line or "***" in line] == []


@pytest.mark.parametrize(
    "line",
    [
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:2 priority=20,tcp,nw_src=10.0.0.1,tp_src=40000 cookie:0x7 "
        "actions=set_field:192.0.2.1->ip_src,set_field:1024->tcp_src,goto_table:4",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:3 priority=20,udp,nw_dst=192.0.2.1,tp_dst=1024 cookie:0x7 "
        "actions=set_field:10.0.0.1->ip_dst,set_field:40000->udp_dst,goto_table:4",
        "OFPT_FLOW_MOD (OF1.3) (xid=): DEL_STRICT table:2 priority=20,tcp,nw_src=10.0.0.1,tp_src=40000 "
        "actions=drop",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:2 "
        "priority=30,tcp,reg0=0,nw_src=10.0.0.0/16,tcp_flags=+syn-ack actions=meter:1,CONTROLLER:65535",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD priority=50,ip,in_port=1,dl_dst=02:00:0a:00:ff:fe,nw_src=10.0.0.1 "
        "actions=goto_table:1",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD priority=50,arp,in_port=1,arp_spa=10.0.0.1 actions=goto_table:1",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD priority=60,ip,dl_dst=02:00:0a:00:ff:fe,nw_dst=224.0.0.0/3 "
        "cookie:0x8000000000000001 actions=drop",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:1 priority=87,ip,in_port=3,nw_dst=192.0.2.1,nw_ttl=1 "
        "actions=goto_table:5",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:1 priority=50,ip,dl_dst=02:00:0a:00:ff:fe,nw_dst=10.0.0.0/16 "
        "actions=load:0->NXM_OF_IN_PORT[],goto_table:4",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:1 priority=85,ip,in_port=3,nw_dst=192.0.2.1,nw_frag=yes "
        "actions=meter:2,CONTROLLER:65535",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:1 "
        "priority=80,tcp,reg0=0,in_port=3,nw_dst=192.0.2.1,tcp_flags=+fin "
        "actions=CONTROLLER:65535,goto_table:3",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:4 priority=20,ip,nw_dst=10.0.0.1 "
        "actions=set_field:02:00:0a:00:ff:fe->eth_src,set_field:02:00:0a:00:00:01->eth_dst,dec_ttl,output:1",
        "OFPT_FLOW_MOD (OF1.3) (xid=): ADD table:4 priority=25,ip "
        "actions=check_pkt_larger(1214)->NXM_NX_REG1[0],set_field:0->reg0,load:0->NXM_OF_IN_PORT[],resubmit(,3)",
        "OFPT_PACKET_OUT (OF1.3) (xid=): in_port=3 actions=set_field:0x1->reg0,resubmit(,2) data_len=5",
        "OFPT_PACKET_OUT (OF1.3) (xid=): in_port=CONTROLLER actions=set_field:0x1->reg0,resubmit(,4) data_len=5",
        "OFPT_PACKET_OUT (OF1.3) (xid=): in_port=CONTROLLER actions=set_field:0x1->reg0,resubmit(,3) data_len=5",
        "OFPT_PACKET_OUT (OF1.3) (xid=): in_port=CONTROLLER actions=output:3 data_len=5",
    ],
    ids=[
        *("outbound rule", "inbound rule", "removal", "opening", "host", "ARP of a host", "martian", "last hop"),
        *("stays inside", "fragment", "FIN", "neighbour", "Nicira's"),
        *("injected frame", "forwarded frame", "delivered frame", "own frame"),
    ],
)
def test_open_vswitch_reads_what_is_meant(as_open_vswitch_reads_it: list[str], line: str) -> None:
    """Its own decoder prints each message with the match and the actions that were meant."""
    assert line in as_open_vswitch_reads_it


def test_the_controller_is_protected_from_a_flood(as_open_vswitch_reads_it: list[str]) -> None:
    """A meter drops what exceeds 100,000 packets a second, and another what exceeds 10,000 fragments."""
    text = "\n".join(as_open_vswitch_reads_it)

    assert "ADD meter=1 pktps burst bands=\ntype=drop rate=100000 burst_size=100000" in text
    assert "ADD meter=2 pktps burst bands=\ntype=drop rate=10000 burst_size=1000" in text


def test_a_poll_asks_for_one_cookie_exactly(outputs: dict[str, Output]) -> None:
    """Cookie 7 under a mask of all bits, in every table: the end of an ofp_flow_stats_request."""
    for output in outputs.values():
        for poll in [data for what, data in output["messages"] if what == "poll"]:
            assert poll.endswith(
                "ff000000ffffffffffffffff000000000000000000000007ffffffffffffffff0001000400000000"
            )


def test_a_framework_that_is_not_installed_is_named() -> None:
    """LASTPORT_FRAMEWORK is a wish that fails loudly."""
    done = subprocess.run(
        [sys.executable, "-c", "import controller.openflow.framework"],
        cwd=ROOT,
        env={**os.environ, "LASTPORT_FRAMEWORK": "pox", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "LASTPORT_FRAMEWORK=pox: installed are " in done.stderr
