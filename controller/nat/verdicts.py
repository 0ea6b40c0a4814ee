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
    """The packet passes, rewritten by this flow's mapping; `created` is whether the flow is new."""

    flow: Flow
    created: bool

    @property
    def mapping(self) -> Mapping:
        """The mapping that rewrites it."""
        return self.flow.mapping


@dataclass(slots=True)
class Refuse:
    """The packet does not pass, since `limit` was reached. Its sender gets `answer`."""

    limit: Limit
    answer: Answer


@dataclass(slots=True)
class Hold:
    """The packet is held with the others of this ticket, if it is new. An event follows when it is decided."""

    ticket: Ticket
    is_new: bool


@dataclass(slots=True)
class Drop:
    """The packet does not pass, since it belongs to no mapping that would take it. Its sender gets `answer`."""

    reason: DropReason
    answer: Answer = Answer.NOTHING


Verdict = Translate | Refuse | Hold | Drop
