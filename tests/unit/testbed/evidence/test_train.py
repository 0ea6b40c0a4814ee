"""What belongs to a train, and what only comes meanwhile."""

from __future__ import annotations

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from testbed.evidence.matching import match
from testbed.evidence.packets import packet
from testbed.evidence.train import Seen, sent_and_arrived
from testbed.traffic.wire import HELLO


def frame(token: int) -> bytes:
    """Return a hello with this token."""
    layers = Ether() / IP(src="10.0.0.1", dst="198.51.100.1", ttl=64) / TCP(flags="PA", seq=token)
    return bytes(layers / Raw(HELLO.pack(1, token)))


def test_a_hello_that_is_sent_again_and_a_frame_that_was_lost_are_no_part_of_a_later_train() -> None:
    """Both arrive while a train is under way. No NAT has damaged them: the train did not send them."""
    hello, late, ours = frame(1), frame(2), frame(3)
    earlier = {packet(each, at=0.0, host=0).content for each in (hello, late)}
    seen: list[Seen] = [
        (0, (1.0, True, ours)),
        *((1, (1.1, False, each)) for each in (hello, ours, late)),
    ]

    sent, arrived = sent_and_arrived(seen, earlier)
    found = match(sent, arrived, lambda one, other: 0)

    assert (found.sent, found.arrived, found.damaged, found.lost) == (1, 1, 0, 0)
    sent, arrived = sent_and_arrived(seen, set())
    assert match(sent, arrived, lambda one, other: 0).damaged == 2


def test_a_frame_that_a_train_sends_again_is_its_own() -> None:
    """The same content in two trains is looked at in both."""
    ours = frame(3)
    content = packet(ours, at=0.0, host=0).content

    sent, arrived = sent_and_arrived([(0, (1.0, True, ours)), (1, (1.1, False, ours))], {content})

    assert (len(sent), len(arrived)) == (1, 1)
