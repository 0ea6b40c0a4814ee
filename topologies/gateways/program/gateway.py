"""Somebody's program as the NAT under test: two network interfaces in a namespace, and nothing else there.

The namespace has no address and forwards nothing. So the kernel answers no ARP request, sends no ICMP, and its TCP
resets nothing: all of that is the program's. What is not known of the program is not asked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface, Side
from topologies.gateways.app import facts, placeholders, wiring
from topologies.gateways.app import options as of_app
from topologies.gateways.base import GatewayPlan, Options, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.following import require_one_range
from topologies.gateways.namespaced import Namespaced
from topologies.gateways.program import options as chosen
from topologies.gateways.program.options import ProgramOptions
from topologies.gateways.promises import Stranger, made
from topologies.gateways.strangers import StrangersProcess
from topologies.network import arp
from topologies.network.hosts import at_other_end

RIGHTS = "net_raw,+net_admin,+net_bind_service"
FEW_RIGHTS = ["setpriv", "--no-new-privs", f"--bounding-set=-all,+{RIGHTS}", "--inh-caps=-all"]
"""Before a command: it has rights over its own interfaces, and none over other namespaces."""
ANSWERS_WITHIN_S = 20.0
ASK_FOR_S = 0.3
OF_OPENFLOW = ("lan_port", "wan_port", "dpid", "listen_host", "listen_port", "interfaces")
"""What an app is told and a program is not."""


class ProgramGateway(Namespaced, Stranger):
    """Somebody's NAT with two network interfaces: --set program='./nat {inside} {outside} {external}'."""

    Options: ClassVar[type[Options]] = ProgramOptions
    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED
    topology: ClassVar[str | None] = "edge"
    is_strangers: ClassVar[bool] = True
    chosen_by: ClassVar[str] = chosen.WAY
    needs: ClassVar[tuple[str, ...]] = ("nsenter", "setpriv")

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for a command that cannot be started, or a setting it is not told of."""
        chosen.check(options)
        super().check(settings, options)
        require_one_range(settings, "a program is told of one")

    @classmethod
    def files(cls, options: Mapping[str, Any]) -> list[str]:
        """Return the paths in the command."""
        return of_app.programs(options.get("program"))

    @classmethod
    def check_wiring(cls, _settings: Settings, _options: Any, interfaces: Sequence[Interface]) -> None:
        """Raise ConfigurationError unless there is one interface on each side."""
        require_two(interfaces)

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what any NAT is held to, and what the author promises."""
        known = facts.behaviour(settings, given="what it was given: docs/how/program.md")
        return made(known, settings, options)

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start nothing: the program needs its interfaces."""
        return {"plan": plan, "inNamespace": True}

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, plan, **params)
        self._lan, self._wan = sides(plan.interfaces)
        self._process: StrangersProcess | None = None
        self._silent: list[str] = []

    def start(self, _controllers: list[Any]) -> None:
        """Start the program, now that its links are there."""
        names = [self.intfs[each.port].name for each in (self._lan, self._wan)]
        self.ip(*(f"link set {name} address {self.plan.mac} up" for name in names))
        folder = self.plan.folder / "program"
        folder.mkdir()
        told = facts_of(self.plan.settings, self.plan.interfaces, self.plan.mac, *names)
        options = self.plan.options
        assert isinstance(options, ProgramOptions)
        self._process = StrangersProcess(
            self.plan,
            f"the program {options.program}",
            [*FEW_RIGHTS, *placeholders.filled(chosen.command(options), told)],
            environment={wiring.VARIABLE: str(wiring.write(told, folder)), "PYTHONPATH": str(folder)},
            home=folder,
            namespace=self.namespace,
        )

    def processes(self) -> list[SupervisedProcess]:
        """Return the program's process."""
        return [] if self._process is None else [self._process.supervised]

    def wait_ready(self) -> None:
        """Wait until it answers ARP requests for its addresses. A program that never does is left to the wire."""
        assert self._process is not None
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        for each in (self._lan, self._wan):
            while not self._answers(each):
                if self._process.has_ended:
                    raise self._process.error("has ended")
                if time.monotonic() > deadline:
                    self._silent.append(f"{each.address.ip} at {self.intfs[each.port].name}")
                    break

    def remarks(self) -> str:
        """Tell for which of its addresses it did not answer, and which exceptions it has raised."""
        assert self._process is not None
        silent = (
            f"The program answered no ARP request for {' and '.join(self._silent)} within "
            f"{ANSWERS_WITHIN_S:.0f} s, so no packet reaches it there."
        )
        return " ".join(filter(None, [silent if self._silent else "", self._process.remarks()]))

    def environment(self) -> dict[str, str]:
        """Return what was started."""
        assert isinstance(self.plan.options, ProgramOptions)
        return {"program": str(self.plan.options.program)}

    def _answers(self, interface: Interface) -> bool:
        """Ask for the gateway's address from the other end of a cable."""
        with at_other_end(self.intfs[interface.port]) as name:
            return arp.answers(name, interface.address.ip, within=ASK_FOR_S)


def facts_of(
    settings: Settings, interfaces: list[Interface], mac: str, inside: str, outside: str
) -> dict[str, Any]:
    """Return what a program with two interfaces is given to know, by name."""
    known = wiring.wiring(settings, interfaces, mac, dpid=0, listen_port=0)
    told = {name: value for name, value in known.items() if name not in OF_OPENFLOW}
    return {"inside": inside, "outside": outside, "external": known["external_ip"], **told}


def sides(interfaces: Sequence[Interface]) -> tuple[Interface, Interface]:
    """Return the inside and the outside interface of a gateway that has one of each."""
    lan, wan = ([each for each in interfaces if each.side is side] for side in (Side.INSIDE, Side.OUTSIDE))
    return lan[0], wan[0]


def require_two(interfaces: Sequence[Interface]) -> None:
    """Raise ConfigurationError unless there is one interface on each side."""
    lan = sum(each.side is Side.INSIDE for each in interfaces)
    if (lan, len(interfaces) - lan) != (1, 1):
        raise ConfigurationError(
            f"this gateway has one interface inside and one outside, and in this network there are {lan} and "
            f"{len(interfaces) - lan}; take --topology edge for a question about one NAT, or another --gateway"
        )
