"""The switch's own table is full: it has no room for another rule, though the NAT has ports enough.

Set-up        a NAT of flow rules, in tables for `flow_limit` of them; `strangers` of these are another
              application's, and have a timeout
Action        open more connections than fit; then let the switch evict (`overflow_policy=evict`), and open
              more; use all
Expectation   the switch refuses each rule too many (TABLE_FULL), and the NAT takes its port back; evicting
              makes room at the cost of rules with a timeout, and of no others: the NAT's have none
"""

from __future__ import annotations

import ipaddress
from typing import Any, ClassVar, Literal

from pydantic import Field

from controller.settings import ConfigurationError, Settings
from scenarios.shared.filling import WINDOW, Filling
from testbed.evidence.outcomes import outcomes
from testbed.experiment.lab import Lab
from testbed.experiment.promise import (
    DROPPED,
    Promise,
    check_refused,
    packets_refused,
    refuse_eviction,
    room,
    settled,
)
from testbed.experiment.report import Report
from testbed.experiment.scenario import Parameters, PatientParameters, Scenario
from topologies.gateways.bridge import Bridge, output

SPECIFICATION = "ovs-vswitchd.conf.db(5), Flow_Table"
LEFT_OVER = ("ports_free", "ports_resting", "ports_in_hold_down")
"""The counters of ports that are nobody's."""
NAT_TABLES = (1, 2)
"""The switch's tables of outbound and of inbound connections: each has room for `flow_limit` rules of the NAT."""
STRANGERS = ipaddress.IPv4Address("198.18.0.1")
"""The first address in rules of another application (RFC 2544: for tests, and on no network)."""
COOKIE = "0x57a9e"
"""The mark of these rules."""


class OtherApplication:
    """Another application at the same switch, with rules of its own in the NAT's tables."""

    def __init__(self, bridge: Bridge) -> None:
        """Take the switch of a gateway."""
        self._bridge = bridge

    def add_rules(self, count: int) -> None:
        """Add `count` rules with a timeout to each table, for traffic that there is not."""
        for table in NAT_TABLES:
            for number in range(count):
                match = f"table={table},ip,nw_src={STRANGERS + number}"
                rule = f"cookie={COOKIE},{match},idle_timeout=3600,actions=drop"
                output("ovs-ofctl", "-OOpenFlow13", "add-flow", self._bridge.name, rule)

    def rules(self) -> int:
        """Return the number of these rules that are left, in all tables."""
        rules = output("ovs-ofctl", "-OOpenFlow13", "dump-flows", self._bridge.name, f"cookie={COOKIE}/-1")
        return rules.count("cookie=")


def let_evict(bridge: Bridge) -> None:
    """Set the switch to evict a rule with a timeout where a table has no room for another, and not to refuse."""
    for table in NAT_TABLES:
        row = bridge.vsctl("get", "Bridge", bridge.name, f"flow_tables:{table}").strip()
        bridge.vsctl("set", "Flow_Table", row, "overflow_policy=evict")


class TableParameters(PatientParameters):
    """The size of the experiment."""

    strangers: int = Field(16, strict=True, ge=1, description="rules of another application, with a timeout")
    beyond: int = Field(16, strict=True, ge=1, description="connections to try beyond what fits, each time")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


class SwitchTableFull(Scenario):
    """What if the switch has no room for another rule, while ports are left?"""

    name = "switch-table-full"
    claim = "the connection-state table fills long before the ports do"
    Parameters: ClassVar[type[Parameters]] = TableParameters
    settings: ClassVar[dict[str, Any]] = {
        "ports": 256,
        "flow_limit": 64,
        "tcp_trans_close_timeout": 1,
        "tcp_rst_timeout": 1,
        "hold_down_timeout": 0,
    }

    @classmethod
    def complete(cls, parameters: TableParameters, settings: Settings) -> tuple[TableParameters, dict[str, Any]]:
        """Let nothing but the table run short, and no mapping end meanwhile."""
        fits = room(settings, parameters.protocol, parameters.clients)
        if fits != settings.flow_limit:
            raise ConfigurationError(
                f"setting flow_limit={settings.flow_limit} would not be what runs short here: only {fits:,} "
                f"connections are allowed; take a flow_limit below {fits:,}, or more of that"
            )
        refuse_eviction(cls.name, settings)
        if parameters.strangers >= settings.flow_limit:
            raise ConfigurationError(
                f"parameter strangers={parameters.strangers} is not possible with "
                f"flow_limit={settings.flow_limit}: no rule of the NAT would fit; take fewer"
            )
        return parameters, {"udp_timeout": (10 + 3 * parameters.patience) / settings.time_scale}

    def run(self, lab: Lab, parameters: TableParameters, settings: Settings, report: Report) -> None:
        """Fill the table beside the strangers; then let the switch evict, and fill again."""
        promise = Promise.of(lab.behaviour, settings, protocol=parameters.protocol, clients=parameters.clients)
        fits = promise.capacity - parameters.strangers
        first = range(1, fits + parameters.beyond + 1)
        second = range(first.stop, first.stop + parameters.strangers + parameters.beyond)
        filling = Filling(
            lab, report, protocol=parameters.protocol, attempts=second.stop - 1, held=promise.capacity
        )
        gateway = lab.gateway
        assert isinstance(gateway, Bridge), "only a switch's tables have a flow_limit"
        other = OtherApplication(gateway)
        other.add_rules(parameters.strangers)
        strangers = other.rules()

        refusing = filling.fill("fill", first, patience=parameters.patience, in_order=WINDOW)
        # The last packet may just have been sent, and its port taken until the switch refuses its rule.
        at_full = settled(
            gateway,
            parameters.protocol,
            dropping=packets_refused(refusing.attempts, promise),
            allocated=fits,
        )
        report.check(
            f"beside the strangers, exactly {fits} connections have room",
            expected=fits,
            observed=len(refusing.established),
            source=SPECIFICATION,
        )
        report.check(
            "nothing made room for the others",
            expected=strangers,
            observed=other.rules(),
            source=SPECIFICATION,
        )
        _check_rolled_back(at_full, fits, settings, report)

        let_evict(gateway)
        evicting = filling.fill("evict", second, patience=parameters.patience, in_order=WINDOW)
        everyone = refusing + evicting
        report.check(
            "with overflow_policy=evict, as many more are established as rules had a timeout",
            expected=parameters.strangers,
            observed=len(evicting.established),
            source=SPECIFICATION,
        )
        report.check(
            "they took the place of the strangers", expected=0, observed=other.rules(), source=SPECIFICATION
        )
        echoed = filling.echo(range(1, second.stop))
        report.check(
            "every connection carries data, old and new: the NAT's rules have no timeout, and are not evicted",
            expected=promise.capacity,
            observed=len(echoed),
            source=SPECIFICATION,
        )
        _, leaked = lab.leaks()
        report.outcomes(outcomes(everyone.attempts, shared=lab.shared(), echoed=echoed, leaked=leaked))
        counters = gateway.counters(parameters.protocol)
        report.counters(counters)
        check_refused(everyone.attempts, promise, report, refused=2 * parameters.beyond)
        report.tell(
            "switch_table_full",
            parameters=parameters,
            settings=settings,
            refusing=refusing,
            evicting=evicting,
            at_full=at_full,
            counters=counters,
            echoed=len(echoed),
        )


def _check_rolled_back(counters: dict[str, int | None], fits: int, settings: Settings, report: Report) -> None:
    """Check that the NAT took back what it had given to those whose rules were refused."""
    report.check(
        "the gateway agrees: ports are allocated to those alone that have rules",
        expected=fits,
        observed=counters["ports_allocated"],
        source="RFC 8512 ports-allocated",
    )
    report.check(
        "the gateway agrees: all other ports are left over",
        expected=settings.ports * len(settings.external_addresses) - fits,
        observed=sum(counters[state] or 0 for state in LEFT_OVER),
        source="RFC 8512 ports-free; those taken back rest first",
    )
    report.check(
        "the gateway agrees: it dropped packets for want of room in the switch, and for nothing else",
        expected=[counters["dropped_flow_table_packets"]],
        observed=[count for name in DROPPED if (count := counters[name])],
        source="Open vSwitch's answer TABLE_FULL (OpenFlow 1.3, OFPFMFC_TABLE_FULL)",
    )
