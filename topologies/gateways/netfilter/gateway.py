"""Linux as the NAT: a router with nftables rules that are made from the settings.

What Linux can follow, and what it declares about itself, is in `facts`. The rules are `rules.nft.j2`. The kernel's
randomness has no seed: `--seed` does not repeat a choice of ports.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from controller.nat.counters import Counters
from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface, Side
from topologies.gateways.base import GatewayPlan, Options
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.by_hand import Row, Selection, Table
from topologies.gateways.gauges import Gauges
from topologies.gateways.linux import LinuxRouter
from topologies.gateways.netfilter import conntrack, facts
from topologies.gateways.tracking import rendered

STATISTICS = Path("/proc/thread-self/net/stat/nf_conntrack")
"""What the kernel counts in the namespace that a thread is in."""
RULES = Path(__file__).with_name("rules.nft.j2")
TABLE = "lastport"
COUNTED = ("unmapped", "port_limit", "state_limit", "rate")
"""Why a rule drops a packet. A packet that gets no port is dropped by the kernel, after all rules."""


class NetfilterOptions(Options):
    """What can be chosen about Linux's NAT only."""

    fully_random: bool = Field(
        False, strict=True, description="nft's flag fully-random for random; the same thing since Linux 5.0"
    )
    masquerade: bool = Field(
        False,
        strict=True,
        description="nft's masquerade in place of snat: the external address is that of the outside interface",
    )
    guard: bool = Field(
        True,
        strict=True,
        description="whether a rule drops what conntrack calls invalid, and the NAT lets out untranslated; false "
        "shows the leak",
    )


def rules(settings: Settings, options: NetfilterOptions) -> str:
    """Return the nftables rules for these settings."""
    flags = []
    if settings.port_allocation_type == "random":
        flags.append("fully-random" if options.fully_random else "random")
    if settings.address_allocation_type == "paired":
        flags.append("persistent")
    return rendered(
        RULES,
        inside=LinuxRouter.inside,
        external=LinuxRouter.external(settings),
        ranges=LinuxRouter.port_ranges(settings),
        flags=",".join(flags),
        masquerade=options.masquerade,
        guard=options.guard,
        drops=[f"dropped_{why}_packets" for why in COUNTED],
        quotas=facts.quotas(settings),
        sessions=settings.limit_sessions,
        rate=facts.rate(settings),
    )


def marked(line: str, why: str) -> bool:
    """Whether a line of nft's list is a rule that counts what it drops for this reason."""
    return f"dropped_{why}_packets" in line and line.rstrip().endswith("drop")


class NetfilterGateway(LinuxRouter):
    """Linux netfilter: nftables and connection tracking."""

    Options: ClassVar[type[Options]] = NetfilterOptions
    takes_several_ranges: ClassVar[bool] = True
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED
    needs = ("nft", "conntrack", "nsenter", "netfilter")

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what Linux cannot do."""
        super().check(settings, options)
        facts.rate(settings)
        if options.fully_random and settings.port_allocation_type != "random":
            raise ConfigurationError(
                f"setting fully_random=true is not possible with port_allocation_type="
                f"{settings.port_allocation_type!r}: that keeps the port where it can; "
                "take port_allocation_type=random, or fully_random=false"
            )

    @classmethod
    def check_wiring(cls, settings: Settings, options: Any, interfaces: Sequence[Interface]) -> None:
        """Raise ConfigurationError unless masquerade gives connections the external address."""
        outside = {each.address.ip for each in interfaces if each.side is Side.OUTSIDE}
        if options.masquerade and outside != {*settings.external_addresses}:
            given, asked = (", ".join(map(str, each)) for each in (outside, settings.external_addresses))
            raise ConfigurationError(
                f"setting masquerade=true is not possible with external_addresses=[{asked}] in this topology: a "
                f"connection would get the address of its outside interface ({given}); take masquerade=false, or "
                "a --topology where that is the external address, such as edge"
            )

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what Linux does under these settings."""
        return facts.behaviour(settings, cls.timeouts(settings))

    @classmethod
    def rules(cls, plan: GatewayPlan) -> str:
        """Return the nftables rules for these settings."""
        assert isinstance(plan.options, NetfilterOptions)
        return rules(plan.settings, plan.options)

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return what conntrack and the rules know; None for what they do not.

        `dropped_port_packets` is of all protocols: the kernel counts there every new connection that it could not
        enter. That is a shortage of ports, or (seldom) two packets of one connection that arrive at once.
        """
        listing = self.run("conntrack", "-L", "--src-nat")
        dropped = conntrack.named_counters(self.run("nft", "-j", "list", "counters", "table", "ip", TABLE))
        statistics = conntrack.statistics(self.run("conntrack", "-S"))
        allocated = len(conntrack.external_endpoints(listing, protocol))
        pool = self.plan.settings.port_count * len(self.plan.settings.external_addresses)
        return {
            **dict.fromkeys(field.name for field in dataclasses.fields(Counters)),
            **{f"dropped_{why}_packets": dropped[f"dropped_{why}_packets_{protocol}"] for why in COUNTED},
            "dropped_port_packets": statistics["insert_failed"],
            "evicted_mappings": statistics["early_drop"],
            "ports_allocated": allocated,
            "ports_free": pool - allocated,
            "total_sessions": listing.count("\n"),
            "packet_ins_known_mappings": None,
        }

    def gauges(self) -> Gauges:
        """Return the kernel's sums over all processors. That costs one read."""
        assert self.namespace is not None
        with self.namespace.entered():
            sums = conntrack.in_short(STATISTICS.read_text())
        counters = {
            "total_sessions": sums["entries"],
            "dropped_port_packets": sums["insert_failed"],
            "evicted_mappings": sums["early_drop"],
        }
        return Gauges((), counters)

    def flush(self) -> None:
        """Remove all connections from the kernel's table."""
        self.run("conntrack", "-F")

    def table(self, selection: Selection, most: int) -> Table:
        """Return the kernel's table of connections, of which each has its own endpoint outside."""
        return Table.of(self._rows(), selection, most)

    def release(self, selection: Selection) -> int:
        """Remove connections from the kernel's table."""
        rows = [row for row in self._rows() if selection.has(row)]
        if selection == Selection():
            self.flush()
            return len(rows)
        keys = [f"-s {each}" for each in selection.inside or ()] or [conntrack.key(row) for row in rows]
        for key in keys:
            self.run("sh", "-c", f"conntrack -D {key} || true")  # what there is may have ended meanwhile
        return len(rows)

    def change(self, settings: Settings) -> str:
        """Replace the rules and the timers at once. Connections that are there keep the ports that they have."""
        self.plan = dataclasses.replace(self.plan, settings=settings)
        self.prepare(self.plan)  # writes the files
        folder = self.plan.folder
        anew = f"table ip {TABLE}\ndelete table ip {TABLE}\n{(folder / 'rules.nft').read_text()}"
        (folder / "change.nft").write_text(anew)
        self.run("nft", "-f", str(folder / "change.nft"))
        self.run("sh", "-c", f"grep -v -e ^ip -e ^nft {folder / 'start.sh'} | sh")
        return "every connection stays as it is; what the rules count begins at zero"

    def refusals(self) -> dict[str, str]:
        """Return the rule by each counter that it counts for, as nft lists it."""
        listed = self.run("nft", "list", "table", "ip", TABLE)
        rules = {
            f"dropped_{why}_packets": next((line.strip() for line in listed.splitlines() if marked(line, why)), "")
            for why in COUNTED
        }
        kernel = (
            "the kernel itself, after all rules: it found no port for the connection (conntrack -S insert_failed)"
        )
        return {**{name: rule for name, rule in rules.items() if rule}, "dropped_port_packets": kernel}

    def _rows(self) -> list[Row]:
        return list(conntrack.rows(self.run("conntrack", "-L", "--src-nat")))

    def environment(self) -> dict[str, str]:
        """Return the versions of the programs, and the size of the kernel's table."""
        return {
            "nftables": self.run("nft", "--version").split()[1].removeprefix("v"),
            "conntrack": self.run("conntrack", "--version").split()[1].removeprefix("v"),
            "nf_conntrack_max": self.run("cat", str(facts.TABLE_SIZE)).strip(),
        }
