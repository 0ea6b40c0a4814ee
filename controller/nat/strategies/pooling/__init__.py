"""Address pooling: which external addresses a new mapping may use (RFC 4787 section 4.1). One file each."""

from __future__ import annotations

from controller.nat.strategies.pooling.arbitrary import Arbitrary
from controller.nat.strategies.pooling.in_order import InOrder
from controller.nat.strategies.pooling.paired import Paired
from controller.nat.strategies.pooling.paired_soft import PairedSoft
from controller.nat.strategies.pooling.pooling import Pooling
from controller.nat.strategies.pooling.roundrobin import RoundRobin

POOLINGS: dict[str, type[Pooling]] = {
    "paired": Paired,
    "paired-soft": PairedSoft,
    "arbitrary": Arbitrary,
    "roundrobin": RoundRobin,
    "in-order": InOrder,
}
"""By the names of the setting `address_allocation_type`."""
