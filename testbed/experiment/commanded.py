"""What `lastport exec` asks: not a question, but what becomes of programs of a user's own behind this NAT.

The launcher orders each program by a message on a socket: the host's name, with the descriptors of a socket for
the program's guard, of the order itself, and of the standard files. An empty message means that no more come.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Collection, Iterable

from testbed.evidence.judging import evicted, kept_while_not_evicted
from testbed.evidence.uses import Uses
from testbed.experiment.concluding import leaks, sharing
from testbed.experiment.experiment import Experiment
from testbed.experiment.judgement import Finding, Unseen
from testbed.experiment.parameters import Parameters
from testbed.experiment.programs import UnknownHostError
from testbed.experiment.unasked import Unasked
from topologies.gateways.behaviour import Behaviour

MOST_BYTES = 1 << 16
FILES = 5
"""The descriptors of an order: the guard's socket, the order, and the standard files."""
KINDS = {"tcp": "connections", "udp": "datagrams"}
SEEN = "packets at the hosts' ends, led back to their senders by sequence numbers and contents"


class Exec(Unasked):
    """What becomes of a program of one's own behind this NAT?"""

    name = "exec"

    def __init__(self, orders: int) -> None:
        """Take orders from a socket, by its descriptor."""
        self._orders = socket.socket(fileno=orders)

    def run(self, x: Experiment[Parameters]) -> None:
        """Start what is ordered, until no more comes."""
        hosts = [host.netns for host in (*x.lab.clients, *x.lab.servers)]
        self._uses = Uses(hosts)
        x.programs.services.wait()
        with x.phase("programs"):
            x.series(services_lacking=x.programs.services.lacking, hosts=x.programs.hosts)
            x.ready()
            while self._obey(x):
                pass
            x.programs.wait()
        x.account()
        x.series(counters={protocol: dict(x.counters(protocol)) for protocol in ("tcp", "udp", "icmp")})

    def judged(self, x: Experiment[Parameters]) -> Iterable[Finding | Unseen]:
        """Yield what is found of leaks and of sharing."""
        yield leaks(x.lab)
        kept = kept_by(x.lab.behaviours.values())
        relays = next((each.relays for each in x.lab.behaviours.values() if each.relays.value), None)
        if relays:
            yield Unseen("sharing", f"the gateway ends connections and begins others in their place: {relays}")
            return
        count = self._uses.sharing(kept)
        unseen = {kind: f"{missed:,} packets found no room" for kind, missed in self._uses.unseen.items()}
        unseen |= {kind: "the NAT may evict them" for protocol, kind in KINDS.items() if protocol not in kept}
        for kind, why in unseen.items():
            yield Unseen(f"sharing-of-{kind}", why)
        if len(unseen) < len(KINDS):
            yield sharing(count, SEEN)

    def _obey(self, x: Experiment[Parameters]) -> bool:
        """Start the next program; return False if no more come."""
        message, descriptors, *_ = socket.recv_fds(self._orders, MOST_BYTES, FILES)
        if not message:
            return False
        control, order, *files = descriptors
        with socket.socket(fileno=control) as guard:
            try:
                x.programs.start(message.decode().strip(), order, guard, (files[0], files[1], files[2]))
            except UnknownHostError as error:
                refuse(guard, str(error))
        for descriptor in (order, *files):
            os.close(descriptor)
        return True


def kept_by(behaviours: Collection[Behaviour]) -> dict[str, float]:
    """Return the seconds for which gateways keep endpoints of open connections and of datagrams, by protocol.

    A NAT that evicts entries of unanswered flows only keeps open connections all the same.
    """
    kept, evicts = kept_while_not_evicted(behaviours), evicted(behaviours) - {"nothing"}
    if not evicts:
        return kept
    return {"tcp": kept["tcp"]} if evicts == {"unassured"} else {}


def refuse(guard: socket.socket, reason: str) -> None:
    """Report that a program was not started."""
    guard.send(json.dumps({"refused": reason}).encode())
