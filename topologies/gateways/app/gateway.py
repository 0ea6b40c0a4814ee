"""Somebody's controller as the NAT under test: a bare bridge, and a process that it is connected to.

The bridge is as Mininet's would be: no rules, fail mode secure, OpenFlow 1.0 and 1.3. What is not known of the
controller is not asked for: it has no counters, and no table that could be read.
"""

from __future__ import annotations

import itertools
import time
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from controller.settings import Settings
from controller.wiring import Interface, Side
from topologies.gateways.app import facts, wiring
from topologies.gateways.app import options as chosen
from topologies.gateways.app.options import AppOptions
from topologies.gateways.app.program import Program
from topologies.gateways.base import GatewayPlan, Options, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.bridge import Bridge, output
from topologies.gateways.following import require_one_range
from topologies.gateways.promises import Stranger, made
from topologies.network import arp
from topologies.network.hosts import at_other_end, other_end

HOST = "127.0.0.1"
FIRST_LISTEN_PORT = 6653
"""The port of OpenFlow. Each gateway more has the next one."""
CONNECTS_WITHIN_S = 20.0
LOOK_EVERY_S = 0.05
ANSWERS_WITHIN_S = 1.0
QUEUE = 512
"""Packets that the switch keeps for a busy controller; 512 is the most that Open vSwitch allows."""

_numbers = itertools.count(1)
_Address = namedtuple("_Address", "name protocol IP port")


class AppGateway(Bridge, Stranger):
    """Somebody's OpenFlow controller, such as a Ryu app: --set app=FILE.py."""

    Options: ClassVar[type[Options]] = AppOptions
    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED
    topology: ClassVar[str | None] = "edge"
    is_strangers: ClassVar[bool] = True
    chosen_by: ClassVar[str] = "--set app=my_nat.py"
    needs: ClassVar[tuple[str, ...]] = ("setpriv",)

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for an app that cannot be started, or that is not told of a setting."""
        chosen.check(options)
        super().check(settings, options)
        require_one_range(settings, "an app is told of one")

    @classmethod
    def files(cls, options: Mapping[str, Any]) -> list[str]:
        """Return the paths of the app, and of its configuration."""
        config = options.get("app_config")
        own = [str(chosen.whole(config).resolve())] if isinstance(config, str) else []
        return [*chosen.programs(options.get("app")), *own]

    @classmethod
    def reaches(cls, options: Any) -> str:
        """Return where the controller is that runs already."""
        return str(options.controller or "")

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what any NAT is held to, and what the author promises."""
        return made(facts.behaviour(settings), settings, options)

    @classmethod
    def told_outside(
        cls, settings: Settings, options: Any, interfaces: Sequence[Interface], mac: str
    ) -> dict[str, Any]:
        """Return the wiring for a controller that runs already, where it listens."""
        if options.controller is None:
            return {}
        host, port = chosen.endpoint(options.controller)
        told = wiring.wiring(settings, [*interfaces], mac, dpid=1, listen_port=port)
        return {**told, "listen_host": host}

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start the controller, which takes as long as building the hosts."""
        number = next(_numbers)
        told = wiring.wiring(
            plan.settings,
            plan.interfaces,
            plan.mac,
            dpid=number,
            listen_port=FIRST_LISTEN_PORT + number - 1,
        )
        return {
            "plan": plan,
            "program": Program(plan, told),
            "told": told,
            "datapath": "user" if plan.datapath == "userspace" else "kernel",
            "protocols": "OpenFlow10,OpenFlow13",
        }

    def __init__(
        self, name: str, plan: GatewayPlan, program: Program, told: Mapping[str, Any], **params: Any
    ) -> None:
        super().__init__(name, plan, **params)
        self.dpid = f"{told['dpid']:016x}"
        self._outside = set()  # a bare bridge has no VLANs
        self._program = program
        self._inside = [each for each in plan.interfaces if each.side is Side.INSIDE]

    def start(self, _controllers: list[Any]) -> None:
        """Make the bridge, with its ports and its controller, in one transaction."""
        self._program.wait_listening()
        super().start([_Address("app", "tcp", lambda: HOST, self._program.port)])

    def bridgeOpts(self) -> str:  # noqa: N802 (Mininet's name)
        """Extend Mininet's options of the bridge: a controller may be as slow as it likes."""
        return f"{super().bridgeOpts()} other-config:controller-queue-size={QUEUE}"

    def processes(self) -> list[SupervisedProcess]:
        """Return the controller's process; the switch belongs to the sandbox."""
        return [self._program.supervised]

    def wait_ready(self) -> None:
        """Wait until the controller has made a rule. One of OpenFlow 1.0 needs none, and may just be connected.

        The switch's database learns of a connection up to five seconds later.
        """
        deadline = time.monotonic() + CONNECTS_WITHIN_S
        while "actions=" not in output("ovs-ofctl", "-OOpenFlow13", "dump-flows", self.name):
            if self.connected():
                return
            if time.monotonic() > deadline:
                raise self._program.error(
                    f"did not accept the switch in {CONNECTS_WITHIN_S:.0f} s: they share no version of OpenFlow "
                    "(the switch has 1.0 and 1.3), or it is no controller"
                )
            time.sleep(LOOK_EVERY_S)

    def remarks(self) -> str:
        """Tell whether it answers on the LAN, which exceptions it has raised, and what the switch has refused."""
        return " ".join(filter(None, [self._silence(), self._program.remarks()]))

    def _silence(self) -> str:
        """Ask for the LAN's default gateway from there, and tell if nothing has answered."""
        cables = [(self.intfs[each.port], each.address.ip) for each in self._inside]
        lans = [(end, address) for end, address in cables if getattr(other_end(end).node, "namespace", None)]
        if not lans:  # there are NATs only, which are bridges
            return ""
        interface, address = lans[0]
        with at_other_end(interface) as name:
            if arp.answers(name, address, within=ANSWERS_WITHIN_S):
                return ""
        return (
            f"When the scenario was over, {self._program.name} answered no ARP request for {address} at "
            f"{interface.name} within {ANSWERS_WITHIN_S:.0f} s. A host that gets no answer sends it no packet."
        )

    def environment(self) -> dict[str, str]:
        """Return what was started, and the framework that it is for."""
        return self._program.environment()
