"""Reading what the machine lost from the kernel's and Open vSwitch's own tables."""

from __future__ import annotations

from pathlib import Path

from testbed.evidence import losses

COVERAGE = """\
Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=9ef0eaa5:
datapath_drop_upcall_error   0.0/sec     0.000/sec        0.0000/sec   total: 3
packet_in_overflow         12.0/sec     1.000/sec        0.0170/sec   total: 61
rconn_overflow             12.0/sec     1.000/sec        0.0170/sec   total: 4
rconn_sent                  0.0/sec     0.000/sec        0.0000/sec   total: 9000
112 events never hit
"""
SOCKETS = """\
Netid Recv-Q Send-Q Local Address:Port Peer Address:Port Process
p_raw 0      0                  *:s1-eth1             *  users:(("ovs-vswitchd",pid=12,fd=34))
\t skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d17)
p_raw 0      0                  *:s1-eth2             *  users:(("ovs-vswitchd",pid=12,fd=35))
\t skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d2)
"""
SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 1 64
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors
Udp: 5414 0 0 5427 9
"""


def test_the_switch_s_losses_are_read_by_their_queues() -> None:
    """Two counters of Open vSwitch are about the one queue for the controller."""
    lost = losses.of_switch(COVERAGE, SOCKETS)

    assert lost == {losses.PACKET_INS: 65, losses.UPCALLS: 3, losses.BRIDGE: 19}


def test_without_a_switch_nothing_is_lost_in_it() -> None:
    """The programs print nothing then."""
    assert not +losses.of_switch("", "")


def test_a_table_of_the_kernel_s_is_read_by_part_and_name(tmp_path: Path) -> None:
    """Lines come in pairs, names and values."""
    (tmp_path / "snmp").write_text(SNMP)

    table = losses.table(tmp_path / "snmp")

    assert (table["Udp:RcvbufErrors"], table["Ip:DefaultTTL"]) == (9, 64)


def test_this_machine_has_the_tables() -> None:
    """The names are those of the kernel that runs."""
    here = Path("/proc/thread-self/net")

    assert "Udp:RcvbufErrors" in losses.table(here / "snmp")
    assert {"TcpExt:ListenDrops", "TcpExt:TCPBacklogDrop"} <= losses.table(here / "netstat").keys()
    assert losses.counted()[losses.BACKLOG] >= 0
    assert losses.packets([]) == 0
