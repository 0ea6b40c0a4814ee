"""Our own NAT: an Open vSwitch bridge whose flow rules come from the Ryu controller in `controller/`.

The controller is a process of its own: its event loop patches Python's standard library. It is started before
the network, since loading the framework takes as long as building the hosts.
"""

from __future__ import annotations

import importlib.metadata
import ipaddress
import itertools
import json
import queue
import socket
import subprocess
import sys
import threading
from collections import namedtuple
from typing import Any, ClassVar

from controller.nat.tcp import TcpTimer
from controller.settings import PORT_REST_S, Settings
from controller.wiring import ControllerConfiguration
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, SupervisedProcess
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.bridge import READY_WITHIN_S, Bridge, output

HOST = "127.0.0.1"
"""Where controllers listen."""
ANSWER_WITHIN_S = 30.0
CONTROLLER_QUEUE = 512
"""Packets that the switch keeps for a busy controller; 512 is the most that Open vSwitch allows."""

STRANGERS = ipaddress.IPv4Address("198.18.0.1")
"""The first address of rules that stand for other applications' (RFC 2544: for tests, and on no network)."""
STRANGE_COOKIE = "0x57a9e"

_Address = namedtuple("_Address", "name protocol IP port")


def table_limits(settings: Settings) -> dict[int, int]:
    """Return how many rules each NAT table may hold: what `flow_limit` grants, besides those that always stand."""
    if settings.flow_limit is None:
        return {}
    return {
        1: settings.flow_limit + 2,  # outbound: a connection's first packet, and any other without a rule
        2: settings.flow_limit + 2 * len(settings.external_addresses),  # inbound: the same for each address
    }


TOLD = {
    "drop": {"tcp": "timeout", "udp": "timeout", "icmp": "timeout"},
    "icmp": {"tcp": "icmp", "udp": "icmp", "icmp": "icmp"},
    "reset": {"tcp": "reset", "udp": "icmp", "icmp": "icmp"},
}
"""The outcome of a refused attempt, by what its sender is told, and protocol."""
VERSION = f"lastport {importlib.metadata.version('lastport')}"
COUNTED_LATE = 1.5
"""How much longer than its timer an idle mapping may live, since its packets are counted four times within it."""


def _set(key: str, settings: Settings) -> Entry[str]:
    return Entry(getattr(settings, key), f"the setting {key}", VERSION)


def _shortage(settings: Settings) -> Entry[Exhaustion]:
    """Read what a refusal looks like: whatever runs short, `on_exhaustion` says it."""
    policy = settings.on_exhaustion
    answer = settings.fallback if policy == "hold" else policy
    held = settings.hold_timeout * settings.time_scale
    shortage = Exhaustion(
        TOLD.get(answer),
        evicts="lru" if policy == "evict-lru" else "nothing",
        holds=policy == "hold",
        after={"hold": held, "evict-lru": PORT_REST_S}.get(policy, 0.0),
    )
    return Entry(shortage, "docs/exhaustion.md: on_exhaustion", VERSION)


def _port_back(settings: Settings) -> Entry[dict[str, tuple[float, float]]]:
    """Add up timers and rest; what is idle ends by its packet counts, which come late."""
    nat = settings.for_nat()
    close, reset, idle = (
        nat.tcp_timeouts[timer] for timer in (TcpTimer.CLOSING, TcpTimer.RESET, TcpTimer.ESTABLISHED)
    )
    held_down = nat.hold_down_timeout if settings.filtering_type == "eif" else 0.0  # RFC 6888 REQ-8(c)
    udp_rest = max(PORT_REST_S, held_down)
    closed = (close + PORT_REST_S, close + PORT_REST_S)
    # Idle connections are given as long as those after a RST, in case they go on.
    forgotten = (idle + reset + PORT_REST_S, (idle + reset) * COUNTED_LATE + PORT_REST_S)
    value = {
        "close": closed,
        "late close": closed,
        "half-close": forgotten,
        "reset": (reset + PORT_REST_S, reset * COUNTED_LATE + PORT_REST_S),
        "silence": forgotten,
        "udp": (nat.udp_timeout + udp_rest, nat.udp_timeout * COUNTED_LATE + udp_rest),
    }
    return Entry(value, "RFC 5382 REQ-5, RFC 7857 section 2, RFC 4787 REQ-5, RFC 6888 REQ-8", VERSION)


class ControllerProcess:
    """A running controller, and our end of its telemetry."""

    def __init__(self, plan: GatewayPlan, program: str = "controller") -> None:
        """Start a program, a module of that name, which is told what the controller is."""
        configuration = ControllerConfiguration(
            settings=plan.settings, interfaces=plan.interfaces, mac=plan.mac, seed=plan.seed
        )
        path = plan.folder / "controller.yaml"
        configuration.save(path)
        self.log = plan.folder / "controller.log"
        # A port that the machine has free, kept so by a socket that never listens: there may be other controllers.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((HOST, 0))
        self.port = self._reserved.getsockname()[1]
        self._telemetry, theirs = socket.socketpair()
        with self.log.open("w") as log:
            port, fd = str(self.port), str(theirs.fileno())
            command = [sys.executable, "-P", "-m", program, str(path), port, fd]
            # Its own session: Ctrl-C at a prompt is not for it.
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        theirs.close()
        self.framework = "unknown"
        self._listening = threading.Event()
        self._ready = threading.Event()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ids = itertools.count()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Read without pause: a controller that cannot write would stand still."""
        with self._telemetry.makefile("r") as lines:
            for line in lines:
                record = json.loads(line)
                if "listening" in record:
                    self._listening.set()
                elif "ready" in record:
                    self.framework = record["framework"]
                    self._ready.set()
                elif "id" in record:
                    self._answers.put(record)

    def wait_listening(self) -> None:
        """Wait until a switch can connect: one that tries too early tries again only a second later."""
        if not self._listening.wait(READY_WITHIN_S):
            raise GatewayError(f"the controller did not listen within {READY_WITHIN_S:.0f} s")

    def wait_ready(self) -> None:
        """Wait until the switch holds the base rules."""
        if not self._ready.wait(READY_WITHIN_S):
            raise GatewayError(f"the controller was not ready within {READY_WITHIN_S:.0f} s")

    @property
    def is_ready(self) -> bool:
        """Whether the switch holds the base rules."""
        return self._ready.is_set()

    def stop(self) -> None:
        """End the controller."""
        self.process.terminate()
        self.process.wait(READY_WITHIN_S)
        self._reserved.close()

    def gauges(self) -> dict[str, Any]:
        """Ask for the gauges as they are now."""
        gauges: dict[str, Any] = self.ask()["gauges"]
        return gauges

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer to a question; the project's own controller always answers with its gauges."""
        request = next(self._ids)
        self._telemetry.sendall(json.dumps({"id": request, **question}).encode() + b"\n")
        try:
            while (answer := self._answers.get(timeout=ANSWER_WITHIN_S))["id"] != request:
                pass
        except queue.Empty:
            raise GatewayError(f"the controller did not answer within {ANSWER_WITHIN_S:.0f} s") from None
        return answer


class OpenFlowGateway(Bridge, Gateway):
    """Open vSwitch and the project's own controller."""

    program: ClassVar[str] = "controller"
    """The controller's module."""

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what the settings say: here they are the NAT."""
        return Behaviour(
            mapping=_set("mapping_type", settings),
            filtering=_set("filtering_type", settings),
            overlapping=_set("port_overlapping", settings),
            pooling=_set("address_allocation_type", settings),
            finds_every_port_of=Entry(
                128 if settings.port_allocation_type == "linux-like" else settings.ports,
                "RFC 6888 REQ-13; by the allocator linux-like, nf_nat_core.c: nf_nat_l4proto_unique_tuple",
                VERSION,
            ),
            fills_every_address=Entry(
                True, "controller/nat/strategies/pooling: evenly, or wherever there is room", VERSION
            ),
            keeps_source_port=Entry(
                settings.port_allocation_type in ("preserving", "linux-like"),
                "RFC 4787 section 4.2.1; the setting port_allocation_type",
                VERSION,
            ),
            ports_exhausted=_shortage(settings),
            state_exhausted=_shortage(settings),
            port_back=_port_back(settings),
            icmp_identifiers=Entry("pool", "RFC 5508 REQ-1: mapped as ports are", VERSION),
        )

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start the controller."""
        return {
            "plan": plan,
            "controller": ControllerProcess(plan, cls.program),
            "datapath": "user" if plan.datapath == "userspace" else "kernel",
            "protocols": "OpenFlow13",
        }

    def __init__(self, name: str, plan: GatewayPlan, controller: ControllerProcess, **params: Any) -> None:
        super().__init__(name, plan, **params)
        self._table_limits = table_limits(plan.settings)
        self.controller = controller

    def start(self, controllers: list[Any]) -> None:
        """Make the bridge, with its ports and its controller, in one transaction."""
        self.controller.wait_listening()
        super().start([_Address("nat", "tcp", lambda: HOST, self.controller.port)])

    def connected(self) -> bool:
        """Whether packets are translated; Mininet's own command waits for it."""
        return self.controller.is_ready

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803 (Mininet's name)
        """Remove the bridge and end the controller; a run needs neither, since its sandbox ends."""
        super().stop(deleteIntfs)
        self.controller.stop()

    @classmethod
    def batchShutdown(cls, switches: list[Any], **_: Any) -> list[Any]:  # noqa: N802 (Mininet's name)
        """Stop none, so that Mininet stops each by itself: its way of stopping all at once forgets controllers."""
        return []

    def bridgeOpts(self) -> str:  # noqa: N802 (Mininet's name)
        """Extend Mininet's options of the bridge, and limit its NAT tables."""
        limits = "".join(
            f" -- --id=@table{table} create Flow_Table flow_limit={rules} overflow_policy=refuse"
            f" -- set Bridge {self.name} flow_tables:{table}=@table{table}"
            for table, rules in self._table_limits.items()
        )
        return f"{super().bridgeOpts()} other-config:controller-queue-size={CONTROLLER_QUEUE}{limits}"

    def overflow(self, policy: str) -> None:
        """Choose what the NAT tables do with a rule too many: `refuse` it, or `evict` one that has a timeout."""
        for table in self._table_limits:
            row = self.vsctl("get", "Bridge", self.name, f"flow_tables:{table}").strip()
            self.vsctl("set", "Flow_Table", row, f"overflow_policy={policy}")

    def add_strangers(self, count: int) -> None:
        """Add rules to each NAT table as another application would, for traffic that there is not."""
        for table in self._table_limits:
            for number in range(count):
                match = f"table={table},ip,nw_src={STRANGERS + number}"
                rule = f"cookie={STRANGE_COOKIE},{match},idle_timeout=3600,actions=drop"
                output("ovs-ofctl", "-OOpenFlow13", "add-flow", self.name, rule)

    def strangers(self) -> int:
        """Return how many of these rules are left, in all tables."""
        rules = output("ovs-ofctl", "-OOpenFlow13", "dump-flows", self.name, f"cookie={STRANGE_COOKIE}/-1")
        return rules.count("cookie=")

    def processes(self) -> list[SupervisedProcess]:
        """Return the controller's process; the switch is the sandbox's."""
        return [SupervisedProcess(f"{self.name}'s controller", self.controller.process.pid, self.controller.log)]

    def wait_ready(self) -> None:
        """Wait for the base rules."""
        self.controller.wait_ready()

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return the NAT's counters of one protocol, and those of all."""
        gauges = self.controller.gauges()
        common = {key: value for key, value in gauges.items() if not isinstance(value, dict)}
        return {**gauges[protocol], **common}

    def flush(self) -> None:
        """Let the controller end all mappings, and remove their rules."""
        self.controller.ask(flush=True)

    def environment(self) -> dict[str, str]:
        """Return the framework and its version."""
        return {"framework": self.controller.framework}
