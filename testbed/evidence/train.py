"""A train of frames over one flow through the NAT, both ways at once, each seen when it is sent and when it comes.

It shows what single packets of a scenario cannot: every frame has to arrive, in order, at once, and at any size.
Few frames are under way at a time, so that none is lost for want of room in a switch. The first ones go alone, so
that a switch that learns a flow from its first packets has learned it.
"""

from __future__ import annotations

import random
import select
import time
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from testbed.evidence.packets import Packet, packet
from testbed.evidence.sockets import close, sending
from testbed.evidence.taps import INTERFACE, WORD_OF_NONCE, WORD_OF_TOKEN, Taken, Tap, carrying
from testbed.traffic.siblings import train

FRAMES = 256
"""Frames each way. Of NATs that lose one frame in fifty, all but 1 in 30,000 lose one of these."""
ALONE, WINDOW = 4, 16
"""The number of first frames of a class that go alone, and of later ones that are under way at once each way."""
PATIENCE_S = 1.0
"""Seconds after which a frame is lost: by then TCP sends again what it has sent (RFC 6298 section 2)."""
ENOUGH_LOST = 32
"""The number of lost frames after which a train ends, since each keeps others waiting."""
Seen = tuple[int, Taken]
"""A frame, and the end at which it was seen."""
PAUSE_S = 0.001
LINGER_PAUSES = 20
"""Pauses after the last frame has come: for copies, and to see how late this process is woken."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that is there: its client's `nonce`, the network namespaces of both ends, and how to use it once.

    `exchange` returns whether a hello was answered.
    """

    nonce: int
    inside: str
    outside: str
    exchange: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Passage:
    """What was sent and what arrived, and the most seconds by which this process was woken late meanwhile.

    The places of the ends are 0 (inside) and 1 (outside).
    """

    sent: list[Packet]
    arrived: list[Packet]
    dropped: int
    lateness: float


class Track:
    """Both ends of a flow: taps, and sockets that send frames as they are."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        chosen = carrying((WORD_OF_NONCE, flow.nonce))
        self._taps = [Tap(netns, chosen) for netns in (flow.inside, flow.outside)]
        self._wires = [sending(netns, INTERFACE) for netns in (flow.inside, flow.outside)]
        self._lateness, self._lost = 0.0, 0
        self._seen: list[Seen] = []
        self._earlier: set[object] = set()
        """The contents that were sent before a train: they may still come, and are no part of it."""
        self._poll = select.poll()
        for tap in self._taps:
            self._poll.register(tap.fileno(), select.POLLIN)

    def models(self) -> list[bytes] | None:
        """Use the flow, and return the frames with the hello and the answer as they were sent, or None."""
        if not self._flow.exchange():
            return None
        sent = [[frame for _, is_own, frame in tap.take() if is_own] for tap in self._taps]
        self._earlier |= {packet(frame, at=0.0, host=0).content for frames in sent for frame in frames}
        if not all(sent):
            return None
        models = [frames[-1] for frames in sent]
        token = packet(models[0], at=0.0, host=0).content[-1][WORD_OF_TOKEN : WORD_OF_TOKEN + 4]
        for tap in self._taps:  # a packet that is damaged in one of both is known by the other
            tap.choose(carrying((WORD_OF_NONCE, self._flow.nonce), (WORD_OF_TOKEN, int.from_bytes(token, "big"))))
        return models

    def run(self, models: list[bytes], *, largest: int, chance: random.Random) -> Passage:
        """Send a train each way, and return when each frame has come or is lost."""
        self._lateness, self._lost, self._seen = 0.0, 0, []
        trains = [train(model, frames=FRAMES, largest=largest, chance=chance) for model in models]
        for part in zip(*trains, strict=True):
            self._run_part(part)
        for _ in range(LINGER_PAUSES):
            self._pause()
        sent, arrived = sent_and_arrived(self._seen, self._earlier)
        self._earlier |= {one.content for one in sent}
        return Passage(
            sent=sent,
            arrived=arrived,
            dropped=sum(tap.dropped() for tap in self._taps),
            lateness=self._lateness,
        )

    def _run_part(self, ways: Sequence[list[bytes]]) -> None:
        """Send frames of one class each way. The next class begins when all of these have come, or are lost.

        A switch may treat each class by itself, and handle packets that come together class by class.
        """
        under_way: list[dict[object, float]] = [{} for _ in ways]
        position = [0] * len(ways)
        while self._lost < ENOUGH_LOST and (any(under_way) or position != [len(frames) for frames in ways]):
            for way, frames in enumerate(ways):
                window = 1 if position[way] < ALONE else WINDOW
                while position[way] < len(frames) and len(under_way[way]) < window:
                    frame = frames[position[way]]
                    under_way[way][packet(frame, at=0.0, host=way).content] = time.monotonic()
                    self._wires[way].send(frame)
                    position[way] += 1
            for end, (_, is_own, frame) in self._pause():
                if not is_own:
                    under_way[1 - end].pop(packet(frame, at=0.0, host=end).content, None)
            self._lost += _forget_lost(under_way)

    def close(self) -> None:
        """End taps and sockets."""
        close([*(tap.socket for tap in self._taps), *self._wires])

    def _pause(self) -> list[Seen]:
        """Wait for frames for a moment, and return those that have come."""
        before = time.monotonic()
        if not self._poll.poll(PAUSE_S * 1000):
            self._lateness = max(self._lateness, time.monotonic() - before - PAUSE_S)
        came = [(end, taken) for end, tap in enumerate(self._taps) for taken in tap.take()]
        self._seen += came
        return came


def sent_and_arrived(seen: Iterable[Seen], earlier: Set[object]) -> tuple[list[Packet], list[Packet]]:
    """Return the packets of a train that were sent, and those that arrived, without those of `earlier` content.

    A hello that its kernel has sent again may still be under way, and so may the last frames of an earlier train.
    """
    packets = [(is_own, packet(frame, at=at, host=end)) for end, (at, is_own, frame) in seen]
    sent = [one for is_own, one in packets if is_own]
    late = earlier - {one.content for one in sent}
    return sent, [one for is_own, one in packets if not is_own and one.content not in late]


def _forget_lost(under_way: list[dict[object, float]]) -> int:
    """Take frames that are lost from those that are under way, and return their number."""
    given_up = time.monotonic() - PATIENCE_S
    lost = [(each, content) for each in under_way for content, sent_at in each.items() if sent_at < given_up]
    for each, content in lost:
        del each[content]
    return len(lost)
