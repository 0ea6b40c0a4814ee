"""The transfer in every run: some hundred kilobytes each way, over a connection that the scenario has counted.

It comes when the scenario is over. So no timer that a scenario watches is disturbed, no order of use is changed,
and every counter has been read. Each group of clients takes its newest connection that still answers. Shorter
transfers follow over one of each other client. Only where a scenario has left no connection open, each NAT with
clients is asked for one new one.
"""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from testbed.evidence.judge import WitnessError
from testbed.experiment.judgement import Finding, Unseen
from testbed.experiment.lab import Lab
from testbed.sandbox.linux import network_of
from testbed.traffic.records import Sent
from testbed.traffic.transfer import PATIENCE_S, STREAM_BYTES, Carried, between, payload_of
from testbed.traffic.wire import Endpoint

KEY, KEY_OF_EACH = "transfer", "transfer-of-each-client"
MOST_CLIENTS = 16
"""The most clients that have a transfer. They are drawn by the seed of the run."""
MOST_NAMED = 4
NEW_PORT = 4001
"""The port at which a server listens for a new connection: not that of any other server."""
TRIES_S = (0.3, 0.6, 1.2, 2.4)
"""Seconds that each try to make a new connection may take. A NAT may still keep the ports of those before."""
_nonces, _ports = itertools.count(1), itertools.count(NEW_PORT)
SOURCE = (
    "RFC 3022 section 4.1: a NAT changes headers, and nothing else; "
    f"both ends compare each byte, and wait up to {PATIENCE_S:g} s for the next"
)


def carried(lab: Lab, mtu: int, *, keeps: bool = True) -> list[Carried]:
    """Carry out the transfers of a run, with datagrams that just fit into packets of `mtu` bytes.

    If the NAT does not keep older connections, there is none for other clients than the newest connection's.
    """
    size, chance = payload_of(mtu), random.Random(lab.seed)
    hosts = [host.netns for host in chance.sample(lab.clients, min(MOST_CLIENTS, len(lab.clients)))]
    sent = [each for sender in lab.senders for each in sender.transfer(size=size, hosts=hosts if keeps else [])]
    right: dict[int, int] = {}
    for receiver in lab.receivers:
        right |= receiver.arrived() if sent else {}
    done = [_carried(each, right) for each in sent]
    done += filter(None, (_own(*pair) for pair in lab.pairs))
    return done if done or lab.is_raw else _on_new_connections(lab)


def require_passing(done: list[Carried]) -> None:
    """Raise WitnessError if a transfer stood still, and a few bytes beside it too: nobody knows why."""
    for each in done:
        if each.wrong and not each.passes:
            raise WitnessError(
                f"a transfer over {each.protocol.upper()} stood still after {each.seconds:g} s, and so did a few "
                "bytes beside it: this machine was too busy, or the NAT passes nothing any more; run it again "
                "with less other load"
            )


def judged(done: list[Carried]) -> Finding | Unseen:
    """Return what the transfers of a run show."""
    if not done:
        why = "no connection was open when the scenario was over, and no NAT took a new one"
        return Unseen(KEY, why)
    if any(each.wrong and not each.passes for each in done):
        return Unseen(KEY, "it stood still, and so did a few bytes beside it")
    moved = " + ".join(dict.fromkeys(f"{each.size:,}" for each in done))
    ways = " over each of the protocols" if len({each.protocol for each in done}) > 1 else ""
    return Finding(
        KEY,
        f"bytes of a transfer ({moved} each way{ways}) that did not arrive as they were sent",
        expected=0,
        observed=sum(each.wrong for each in done),
        source=SOURCE,
    )


def unseen(lab: Lab, done: list[Carried]) -> Iterator[Unseen]:
    """Yield the clients that had no transfer, if others had one."""
    had = {each.source.partition(":")[0] for each in done}
    names = [
        name
        for place, name in enumerate(lab.topology.clients)
        if had.isdisjoint(map(str, lab.topology.sources(place)))
    ]
    if done and names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        yield Unseen(KEY_OF_EACH, f"no connection was used of {', '.join(names[:MOST_NAMED])}{more}")


def _carried(sent: Sent, right: dict[int, int]) -> Carried:
    attempt, size = sent.attempt, sent.size
    return Carried(
        protocol=sent.protocol,
        source=_shown(attempt.source),
        seen=_shown(attempt.seen),
        target=_shown(attempt.target),
        size=size,
        wrong_out=size - right.get(attempt.nonce, 0),
        wrong_back=sent.wrong_back,
        seconds=round(sent.seconds, 3),
        passes=sent.passes,
    )


def _own(client: socket.socket, server: socket.socket) -> Carried | None:
    """Carry out a transfer over a TCP connection with both ends in this process; None if it is open no more."""
    try:
        source, seen, target = client.getsockname(), server.getpeername(), client.getpeername()
    except OSError:  # a NAT that mixes up connections has had it reset
        return None
    started = time.monotonic()
    wrong_out, wrong_back = between(client, server, next(_nonces), patience=PATIENCE_S)
    return Carried(
        protocol="tcp",
        source=_shown(source),
        seen=_shown(seen),
        target=_shown(target),
        size=STREAM_BYTES,
        wrong_out=wrong_out,
        wrong_back=wrong_back,
        seconds=round(time.monotonic() - started, 3),
    )


def _on_new_connections(lab: Lab) -> list[Carried]:
    """Carry out a transfer over a new connection of one client behind each NAT, drawn by the seed."""
    clients = list(enumerate(lab.topology.clients))
    random.Random(lab.seed).shuffle(clients)
    drawn = {lab.topology.behind[name]: place for place, name in clients}
    done = []
    for place in drawn.values():
        with ExitStack() as opened:
            if (pair := _connected(lab, place, opened)) and (made := _own(*pair)):
                done.append(
                    made if not made.wrong or _connected(lab, place, opened) else replace(made, passes=False)
                )
    return done


def _connected(lab: Lab, place: int, opened: ExitStack) -> tuple[socket.socket, socket.socket] | None:
    """Return both ends of a new connection of a client, or None if no try succeeds. Each has a port of its own."""
    for seconds in TRIES_S:
        target, give_up_at = lab.endpoint(port=next(_ports)), time.monotonic() + seconds
        with network_of(lab.servers[0].netns):
            listener = opened.enter_context(socket.create_server(target))
        with network_of(lab.clients[place].netns):
            client = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.settimeout(seconds)
        client.settimeout(seconds)
        try:
            client.connect(target)
            return client, opened.enter_context(listener.accept()[0])
        except OSError:
            client.close()
        time.sleep(max(0.0, give_up_at - time.monotonic()))
    return None


def _shown(endpoint: Endpoint) -> str:
    return f"{endpoint[0]}:{endpoint[1]}"
