"""Siblings of a frame: packets as Scapy would make them, of the same flow, of every size."""

from __future__ import annotations

import random
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from testbed.evidence.packets import packet
from testbed.traffic.siblings import CLASSES, train
from testbed.traffic.wire import ANSWER, HELLO

NONCE = 77
DATA = HELLO.pack(NONCE, 5)
MODELS = {
    "tcp": TCP(
        sport=1000, dport=7, seq=100, ack=900, flags="PA", options=[("NOP", None)] * 2 + [("Timestamp", (3, 4))]
    ),
    "tcp without options": TCP(sport=1000, dport=7, seq=100, ack=900, flags="PA"),
    "udp": UDP(sport=1000, dport=7),
    "icmp": ICMP(id=1000, seq=9),
}


def siblings(layer: Any, *, largest: int = 1500, frames: int = 64) -> list[Any]:
    """Return a train after a model, each frame as Scapy reads it."""
    model = bytes(Ether(src="02:00:0a:00:00:01") / IP(src="10.0.0.1", dst="198.51.100.1") / layer / Raw(DATA))
    parts = train(model, frames=frames, largest=largest, chance=random.Random(1))
    return [Ether(each) for part in parts for each in part]


@pytest.mark.parametrize("layer", MODELS.values(), ids=MODELS)
def test_a_sibling_is_of_the_same_flow_and_its_checksums_are_right(layer: Any) -> None:
    """Scapy computes the same checksums, and the data begin with the same nonce and token."""
    for each in siblings(layer):
        assert (each.src, each[IP].src, each[IP].dst) == ("02:00:0a:00:00:01", "10.0.0.1", "198.51.100.1")
        assert packet(bytes(each), at=0.0, host=0).intact
        transport = each[IP].payload
        assert type(transport) is type(layer)
        assert [getattr(transport, name) for name in ("sport", "dport", "id") if name in transport.fields] == [
            getattr(layer, name) for name in ("sport", "dport", "id") if name in layer.fields
        ]
        assert bytes(transport.payload)[:16] == DATA


@pytest.mark.parametrize("largest", [120, 576, 1400, 1500])
def test_a_train_has_all_sizes_up_to_the_largest_and_distinct_marks(largest: int) -> None:
    """Several TTLs and TOS, atomic packets and others, each with its own identification."""
    frames = siblings(MODELS["udp"], largest=largest)

    sizes = {each[IP].len for each in frames}
    assert max(sizes) == largest
    assert min(sizes) == 80
    assert all(len(each) == 14 + each[IP].len for each in frames)
    assert len({each[IP].id for each in frames}) == len(frames)
    assert [(each[IP].ttl, each[IP].tos) for each in frames[:: len(frames) // len(CLASSES)]] == list(CLASSES)
    assert {str(each[IP].flags) for each in frames} == {"DF", ""}


@pytest.mark.parametrize("layer", MODELS.values(), ids=MODELS)
def test_no_server_and_no_client_takes_a_sibling_for_its_own(layer: Any) -> None:
    """None has the size of a hello. A segment ends where the model's data begin: the other side has read on."""
    for each in siblings(layer):
        assert len(each[Raw].load) not in (HELLO.size, ANSWER.size)
        if TCP in each:
            assert (each[TCP].seq + len(each[Raw].load)) % (1 << 32) == 100
            assert (each[TCP].ack, str(each[TCP].flags)) == (900, "A")


def test_a_segment_keeps_the_model_s_timestamps_and_has_an_option_for_experiments() -> None:
    """RFC 7323: a segment without timestamps may be dropped. RFC 4727: an unknown option is to be kept."""
    for each in siblings(MODELS["tcp"]):
        kinds = dict(option for option in each[TCP].options if option[0] != "NOP")
        assert kinds.pop("Timestamp") == (3, 4)
        assert list(kinds) == [253]
