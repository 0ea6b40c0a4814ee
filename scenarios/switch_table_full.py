"""The switch's own table is full: it has no room for another rule, though the NAT has ports enough.

Set-up        a NAT of flow rules, in tables for `flow_limit` rules. `strangers` of these are another
              application's, and have a timeout
Action        open more connections than fit. Then have the switch evict (`overflow_policy=evict`), open more, and
              use all
Expectation   the switch refuses each rule beyond the limit (TABLE_FULL), and the NAT takes its port back. When the
              switch evicts, it removes rules with a timeout, and no others. The NAT's rules have no timeout
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.shared.checks import check_carrying, check_refused
from scenarios.shared.filling import QUICK_RELEASE, WINDOW, Filling
from scenarios.shared.full_table import check_dropped_for, runs_short_first
from scenarios.shared.other_application import OtherApplication
from scenarios.shared.requirements import REFUSES_NONE, even_addresses, keeps_mappings
from testbed.api import (
    Asked,
    Demand,
    Experiment,
    Of,
    PatientParameters,
    Refusal,
    Requirement,
    Scenario,
    Settings,
    in_turn,
    of_ports,
    settled,
)

SPECIFICATION = "ovs-vswitchd.conf.db(5), Flow_Table"
LEFT_OVER = ("ports_free", "ports_resting", "ports_in_hold_down")
"""The counters of ports that no mapping has."""


class TableParameters(PatientParameters):
    """The size of the experiment."""

    strangers: int = Field(16, strict=True, ge=1, description="rules of another application, with a timeout")
    beyond: int = Field(16, strict=True, ge=1, description="connections to try beyond what fits, each time")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="tcp or udp")


def _no_room(asked: Asked) -> Refusal | None:
    strangers, limit = asked.parameters.strangers, asked.settings.flow_limit
    if limit is None or strangers < limit:
        return None
    why = f"with flow_limit={limit} no rule of the NAT would fit"
    return Refusal("strangers", strangers, why, f"flow_limit={strangers + 1} or more", kind="parameter")


def _few_ports(asked: Asked) -> Refusal | None:
    limit, beyond = asked.settings.flow_limit or 0, asked.parameters.beyond
    wanted = limit + 2 * beyond
    if asked.settings.capacity >= wanted:
        return None
    why = f"with flow_limit={limit} and beyond={beyond}, attempts whose rules are refused would hold all others"
    return of_ports(asked.settings, why, f"ports={wanted} or more")


class SwitchTableFull(Scenario[TableParameters]):
    """What if the switch has no room for another rule, while ports are left?"""

    name = "switch-table-full"
    claim = "the connection-state table fills long before the ports do"
    settings = {"ports": 256, "flow_limit": 64, **QUICK_RELEASE}
    requires = (
        even_addresses(),
        runs_short_first("flow_limit"),
        keeps_mappings(REFUSES_NONE),
        Requirement("ports enough for attempts whose rules are refused", _few_ports, Of.SETTINGS),
        Requirement("fewer strangers' rules than flow_limit", _no_room, Of.SETTINGS),
    )
    reckons_with = ("flow_limit",)
    story = """
The switch's tables hold {{ settings.flow_limit|n }} rules for connections, and {{ parameters.strangers|n }} of \
these belong to another application. The NAT has {{ settings.capacity_of_address|n }} ports.
Of {{ refusing|length|n }} {{ parameters.protocol|upper }} connections {{ refusing.established|length|n }} were \
established. The switch refused the rules of the others (TABLE_FULL), and the NAT took their ports back: \
{{ at_full.ports_allocated|n }} were allocated then, and {{ at_full.ports_free|n }} free.
{% if evicting.established %}
Then the switch was told to evict (overflow_policy=evict), and {{ evicting.established|length|n }} of \
{{ evicting|length|n }} more connections were established: the rules of the other application had a timeout, \
and had to go.
{% endif %}
{{ echoed|n }} connections carried data in the end. The NAT's own rules have no timeout, so the switch evicts \
none of them.
"""

    def run(self, x: Experiment[TableParameters]) -> None:
        """Fill the table beside the other application's rules, then have the switch evict, and fill again."""
        strangers, beyond, capacity = x.parameters.strangers, x.parameters.beyond, x.promise.capacity
        fits = capacity - strangers
        filling = Filling(x, attempts=fits + strangers + 2 * beyond, capacity=capacity)
        other = OtherApplication(x.lab.gateway)
        other.add(strangers)
        rules = other.count()

        refusing = filling.fill("fill", fits + beyond, in_order=WINDOW)
        # The last packet may just have been sent, and its port is taken until the switch refuses its rule.
        dropping = x.promise.packets_refused(refusing.attempts)
        at_full = settled(x.lab.gateway, x.protocol, dropping=dropping, allocated=fits)
        x.check(
            "connections that fit beside another application's rules",
            expected=fits,
            observed=len(refusing.established),
            source=SPECIFICATION,
        )
        x.check(
            "another application's rules that stay while the switch refuses",
            expected=rules,
            observed=other.count(),
            source=SPECIFICATION,
        )
        x.agrees(
            "ports allocated, to those connections alone that have rules", fits, "ports_allocated", of=at_full
        )
        left = x.settings.capacity - fits
        x.agrees("ports that are left over, free or resting", left, *LEFT_OVER, of=at_full)
        check_dropped_for("room in the switch", "dropped_flow_table_packets", 1, at_full, x)

        other.evict()
        evicting = filling.fill("evict", strangers + beyond, in_order=WINDOW)
        x.check(
            "connections that are established when the switch evicts: one for each rule with a timeout",
            expected=strangers,
            observed=len(evicting.established),
            source=SPECIFICATION,
        )
        x.check(
            "another application's rules that are left when the switch evicts",
            expected=0,
            observed=other.count(),
            source=SPECIFICATION,
        )
        echoed = filling.echo()
        check_carrying(capacity, echoed, x, source=f"{SPECIFICATION}: a rule without a timeout is not evicted")
        check_refused(refusing + evicting, x, refused=2 * beyond)
        x.account(refusing + evicting, echoed)
        x.tell(refusing=refusing, evicting=evicting, at_full=at_full, echoed=len(echoed))

    @classmethod
    def demand(cls, parameters: TableParameters, settings: Settings) -> Demand:
        """Return what fits, and twice what is tried beyond it, in turn."""
        attempts = (settings.flow_limit or settings.capacity) + 2 * parameters.beyond
        lasts = 10 + 3 * parameters.patience
        return Demand(in_turn(attempts, parameters.clients), (parameters.protocol,), lasts=lasts)
