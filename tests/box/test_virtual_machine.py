"""The NAT of a virtual machine, judged as a box and as our own netfilter with the same rules and timers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from tests.box.machine import NEEDS, Machine, build
from tests.emulation.conftest import Run
from tests.emulation.conftest import machine as machine
from tests.emulation.conftest import run as run
from tests.emulation.conftest import start as start
from tests.emulation.conftest import temporary as temporary
from topologies.edge import Edge
from topologies.gateways.base import GatewayPlan
from topologies.gateways.linux import TIMEOUTS, links
from topologies.gateways.netfilter.gateway import NetfilterGateway, NetfilterOptions
from topologies.network.sysctls import FORWARDING

pytestmark = pytest.mark.box

PORTS = {1: "eth0", 2: "eth1"}
CLEAN = """
conntrack -F 2>/dev/null
nft flush ruleset
ip link del br0 2>/dev/null
ip address flush dev eth0
ip address flush dev eth1
ip link set eth1 down
"""
LINUX = ("mapping_type=edm", "filtering_type=edf", "port_overlapping=endpoint")
"""What Linux's NAT is, and its owner states."""
ASKED = {
    "port-exhaustion": ("ports=64", "attempts=80"),
    "port-exhaustion over UDP": ("ports=64", "attempts=80", "protocol=udp", "udp_timeout=20"),
    "port-overlap": ("ports=16",),
    "release": ("ports=16",),
    "protocols": (),
    "fairness": ("ports=32", "clients=4"),
    "churn": ("ports=32", "holding=2"),
    "loss-curve": ("ports=128",),
    "address-pool": ("ports=16", "external_addresses=[192.0.2.101,192.0.2.102,192.0.2.103,192.0.2.104]"),
}
"""What is asked, and the settings."""

BY_THE_CLOCK = ("release", "churn")
"""Their attempts come by the clock, and the number that finds a port differs from run to run."""


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a virtual machine that runs."""
    if lacking := [program for program in NEEDS if shutil.which(program) is None]:
        pytest.skip(
            f"this machine lacks {', '.join(lacking)}: apt-get install mmdebstrap e2fsprogs qemu-system-x86"
        )
    folder = tmp_path_factory.mktemp("box")
    build(folder)
    made = Machine(folder, f"ti{os.getpid()}", f"to{os.getpid()}")
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


def configure(virtual: Machine, scenario: str, sets: list[str], folder: Path) -> list[str]:
    """Make our own netfilter of the virtual machine; return what its owner states of it for this scenario."""
    planned = resolve(scenario, "netfilter", Choices(topology="edge", sets=sets), datapath="userspace")
    built = Edge(clients=planned.parameters["clients"])
    plan = GatewayPlan(
        settings=planned.settings,
        options=NetfilterOptions.model_validate(planned.options),
        interfaces=built.wiring["gateway"],
        mac=built.gateway_mac("gateway"),
        seed=0,
        folder=folder,
        datapath="userspace",
    )
    NetfilterGateway.prepare(plan)
    sysctls = "".join(
        f"[ ! -e /proc/sys/{key} ] || echo '{value}' > /proc/sys/{key}\n" for key, value in FORWARDING.items()
    )
    beginning = (folder / "start.sh").read_text().replace(str(folder), "/tmp")
    files = {"rules.nft": (folder / "rules.nft").read_text(), "links": links(plan, PORTS)}
    virtual.run(f"{CLEAN}{sysctls}{beginning}", files)
    timers = ("tcp_trans_close_timeout", "tcp_rst_timeout", "udp_timeout", "icmp_timeout", "tcp_idle_timeout")
    external = ",".join(map(str, planned.settings.external_addresses))
    seconds = {key: NetfilterGateway.timeouts(planned.settings)[name] for name, key in TIMEOUTS.items()}
    states = [f"{key}={seconds[key]}" for key in timers]
    return [*states, f"ports={planned.settings.port_count}", f"external=[{external}]"]


@pytest.mark.parametrize("asked", ASKED)
def test_a_virtual_machines_nat_is_judged_as_our_own_with_the_same_rules(
    run: Run, virtual: Machine, tmp_path: Path, asked: str
) -> None:
    """The same verdict, and the same outcomes, unless these are a matter of time."""
    scenario, sets = asked.split()[0], [*ASKED[asked]]
    stated = configure(virtual, scenario, sets, tmp_path)
    ours = [word for each in sets for word in ("--set", each)]
    owners = [f"inside={virtual.inside}", f"outside={virtual.outside}", "exhaust=true", *LINUX]
    owners.append("connection_rate=1000")
    given = {each.partition("=")[0]: each for each in (*owners, *stated, *sets)}
    box = [word for each in given.values() for word in ("--set", each)]

    of_box = run("run", scenario, "--gateway", "box", *box, "--json")
    of_ours = run("run", scenario, "--gateway", "netfilter", "--topology", "edge", *ours, "--json")

    for name, each in (("box", of_box), ("netfilter", of_ours)):
        assert each.output, each.complaints
        result = each.result
        counted = {outcome: count for outcome, count in result["outcomes"].items() if count}
        print(f"{asked} | {name} | {result['verdict']} | {counted} | {result['duration_s']} s | {each.failed}")
    assert of_box.result["verdict"] == of_ours.result["verdict"] == "pass", of_box.failed + of_ours.failed
    if scenario not in BY_THE_CLOCK:
        assert of_box.result["outcomes"] == of_ours.result["outcomes"]
