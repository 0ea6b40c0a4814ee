"""What the NAT decides about a packet: translate, refuse, hold or drop it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from controller.nat.model import Answer, Flow, Limit, Mapping
from controller.nat.waiting import Ticket


class DropReason(enum.Enum):
    """Why a packet was dropped although nothing ran short."""

    NO_MAPPING = "no mapping"
    FILTERED = "the filtering behaviour keeps this sender out"
    NOT_A_SYN = "a TCP packet without SYN, and no mapping"


@dataclass(slots=True)
class Translate:
    """Let the packet pass, rewritten by this flow's mapping; `created` says that the flow is new."""

    flow: Flow
    created: bool

    @property
    def mapping(self) -> Mapping:
        """The mapping that rewrites it."""
        return self.flow.mapping


@dataclass(slots=True)
class Refuse:
    """Do not let the packet pass: `limit` was reached. Its sender is told `answer`."""

    limit: Limit
    answer: Answer


@dataclass(slots=True)
class Hold:
    """Keep the packet, if it is new, with the others of this ticket; an event will tell what becomes of it."""

    ticket: Ticket
    is_new: bool


@dataclass(slots=True)
class Drop:
    """Do not let the packet pass: it belongs to nothing."""

    reason: DropReason


Verdict = Translate | Refuse | Hold | Drop
