"""Two hosts behind two NATs try to reach each other directly, with a server that only introduces them.

Set-up        two homes, each behind a NAT of its own, and a rendezvous server (topology two-homes)
Action        each peer asks the server for its own external endpoint, at three of the server's endpoints. A second
              socket of the peer asks at one of them only, and then all three send to it. The server sends each
              peer the other's endpoint. Then both peers send to it, again and again, and answer whatever comes in
Expectation   whether the peers meet follows from how their two NATs declare to map and filter, by the definitions
              of RFC 4787 (`scenarios/shared/models/meeting.py`)
"""

from __future__ import annotations

import itertools
from typing import ClassVar

from pydantic import Field

from scenarios.shared.chance import PORTS, SOCKETS, by_chance, drawn_ports, ports_for_a_peer
from scenarios.shared.models.meeting import outcomes
from scenarios.shared.rendezvous import ANSWERED_WITHIN_S, ENDPOINTS, Peer, Server, punch
from scenarios.shared.requirements import declares_its_filtering, declares_its_mapping, translates_packets
from testbed.api import Demand, Experiment, Parameters, Scenario, Settings

SHARED_BY = {"eim": 3, "adm": 2, "edm": 1}
"""The number of server endpoints that see one external endpoint, of three with two on one address, by mapping."""
LET_IN = {"eif": 3, "adf": 2, "edf": 1}
"""The number of ENDPOINTS that the NAT lets in to a socket that has asked at the first of them, by filtering."""
NAMES = ("alice", "bob")
TOGETHER = "the peers reach each other directly"
APART = "the peers do not reach each other directly"
WORDS = {(True, True): "meet", (False, False): "apart"}
RACE = "the peers reach each other directly, or neither does: it matters whose first packet passes which NAT first"


class PunchingParameters(Parameters):
    """The size of the experiment."""

    protocol: ClassVar[str] = "udp"
    clients: int = Field(2, strict=True, ge=2, description="hosts of both homes; the first of each are the peers")
    patience: float = Field(
        3.0, strict=True, ge=0.5, le=60, description="seconds for which the peers try to reach each other"
    )


class HolePunching(Scenario[PunchingParameters]):
    """Behind which NATs can two hosts reach each other directly?"""

    name = "hole-punching"
    claim = "what happens is implementation dependent"
    topology = "two-homes"
    gateways = ("gateway-a", "gateway-b")
    nats_may_differ = True
    settings = {"hold_down_timeout": 0}
    requires = (
        ports_for_a_peer(),
        drawn_ports(),
        declares_its_mapping("whether the peers meet follows from that"),
        declares_its_filtering("whether the peers meet follows from that"),
        translates_packets("what it declares is of TCP, and peers meet over UDP"),
    )
    story = """
{% set alice, bob = peers %}
{{ alice.name }} and {{ bob.name }} are each behind a NAT ({{ nats|unique|map("join", ", ")|join("; ") }}). A \
server sends each of them the endpoint at which it saw the other, and both send there.
{% for peer in peers %}
Three endpoints of the server saw {{ peer.name }} at \
{% for address, port in peer.seen|unique %}{{ address }}:{{ port }}{{ ", " if not loop.last }}{% endfor %}.
{% endfor %}
{% if alice.met and bob.met %}
They met: {{ alice.name }} gets {{ bob.name }}'s packets from {{ alice.met|join(":") }}\
{% if alice.met != alice.other %} (another endpoint than the server saw: the NAT took another port for this \
destination){% endif %}, without a server between them.
{% else %}
They did not meet: a NAT took another port for the other peer than for the server, and what came from or \
went there was not let in. They have to go on through the server.
{% endif %}
"""

    def run(self, x: Experiment[PunchingParameters]) -> None:
        """Introduce the peers to each other, and see whether they meet."""
        server, nats = Server(x.lab), [x.lab.behaviours[name] for name in self.gateways]
        hosts = [*zip(x.lab.clients[:2], NAMES, strict=True)]
        sockets = range(SOCKETS if any(map(by_chance, nats)) else 1)
        peers, *others = ([Peer(x.lab, host, name) for host, name in hosts] for _ in sockets)
        with x.phase("introduce"):
            seen = {peer.name: server.see(peer) for peer in peers}
            every = {name: [seen[name]] for name in seen}
            for peer in itertools.chain(*others):
                every[peer.name].append(server.see(peer))
        for name, nat in zip(NAMES, nats, strict=True):
            x.check(
                f"{name}'s NAT maps as declared: server endpoints that see one external endpoint",
                expected=SHARED_BY[nat.mapping.value],
                observed=min(max(map(endpoints.count, endpoints)) for endpoints in every[name]),
                source=f"RFC 4787 REQ-1; {nat.mapping}",
            )
        with x.phase("knock"):
            for peer, nat in zip(peers, nats, strict=True):
                x.check(
                    f"{peer.name}'s NAT filters as declared: server endpoints that it lets in",
                    expected=list(ENDPOINTS[: LET_IN[nat.filtering.value]]),
                    observed=server.reach(Peer(x.lab, peer.host, f"{peer.name}'s second socket")),
                    source=f"RFC 4787 REQ-8; {nat.filtering}",
                )
        sources = dict.fromkeys(str(nat.filtering) for nat in nats)
        behaviours = [(nat.mapping.value, nat.filtering.value) for nat in nats]
        possible = outcomes(*behaviours)
        expected = min(possible)
        with x.phase("punch"):
            for alice, bob in [peers, *others]:
                server.introduce(alice, bob)
                server.introduce(bob, alice)
                punch([alice, bob], x.parameters.patience)
                if all(expected) or not (alice.met or bob.met):
                    break  # else they may have met by chance
        peers = [alice, bob]
        observed = alice.met is not None, bob.met is not None
        expected = observed if observed in possible else expected
        x.check(
            RACE if len(possible) > 1 else TOGETHER if all(expected) else APART,
            key="peers-meet",
            expected=[*expected],
            observed=[*observed],
            source=f"RFC 5128 section 3.3, RFC 4787 REQ-1 and REQ-8; {'; '.join(sources)}",
        )
        with x.phase("relay"):
            relayed = server.relay(alice, bob) and server.relay(bob, alice)
        x.check(
            "the peers reach each other through the server", expected=True, observed=relayed, source="RFC 8656"
        )
        attempts = [peer.attempt(number) for number, peer in enumerate(peers, start=1)]
        x.account(attempts, {attempt.number for attempt in attempts if attempt.outcome == "established"})
        pair = {"foreseen": sorted(WORDS[each] for each in possible), "observed": WORDS.get(observed, "one-way")}
        x.series(seen=seen, met=[peer.met for peer in peers], pair=pair)
        x.tell(peers=peers, nats=behaviours)

    @classmethod
    def demand(cls, parameters: PunchingParameters, settings: Settings) -> Demand:
        """Return what one peer may take of its own NAT: each socket a mapping for each destination."""
        mappings = PORTS if settings.port_overlapping == "off" else (len(ENDPOINTS) + 1) * (SOCKETS + 1)
        lasts = 2 * ANSWERED_WITHIN_S + (1 + SOCKETS) * parameters.patience
        return Demand((mappings,), ("udp",), lasts=lasts, fits=mappings)
