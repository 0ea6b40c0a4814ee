"""Another application on the gateway's switch, with rules of its own in the tables of the NAT."""

from __future__ import annotations

import ipaddress
import re

from testbed.api import Gateway
from topologies.gateways.bridge import Bridge, output

SOURCES = ipaddress.IPv4Address("198.18.0.1")
"""The first address that its rules match. It is for tests only (RFC 2544), so the rules match no traffic here."""
COOKIE = "0x57a9e"
"""The cookie of its rules, which distinguishes them from the NAT's."""
IDLE_TIMEOUT_S = 3600


class OtherApplication:
    """An application that adds rules to those tables of the gateway's bridge whose size is limited."""

    def __init__(self, gateway: Gateway) -> None:
        """Read which tables of the bridge have a limit."""
        assert isinstance(gateway, Bridge), "only a bridge has tables"
        self._bridge = gateway
        rows = gateway.vsctl("get", "Bridge", gateway.name, "flow_tables")
        self._tables = {int(table): row for table, row in re.findall(r"(\d+)=([0-9a-f-]{36})", rows)}

    def add(self, count: int) -> None:
        """Add `count` rules to each table, with a timeout."""
        for table in self._tables:
            for number in range(count):
                match = f"table={table},ip,nw_src={SOURCES + number}"
                rule = f"cookie={COOKIE},{match},idle_timeout={IDLE_TIMEOUT_S},actions=drop"
                output("ovs-ofctl", "-OOpenFlow13", "add-flow", self._bridge.name, rule)

    def count(self) -> int:
        """Return the number of its rules that are left, in all tables."""
        rules = output("ovs-ofctl", "-OOpenFlow13", "dump-flows", self._bridge.name, f"cookie={COOKIE}/-1")
        return rules.count("cookie=")

    def evict(self) -> None:
        """Set each table to make room for a new rule by evicting one that has a timeout."""
        for row in self._tables.values():
            self._bridge.vsctl("set", "Flow_Table", row, "overflow_policy=evict")
