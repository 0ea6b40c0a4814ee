"""The parameters that a user may choose for a scenario. A scenario derives its own from these classes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from controller.wiring import ETHERNET_MTU
from testbed.experiment.units import Rate, Share, Time
from testbed.sandbox.slowness import slowness

LOSSES, NO_LOSS = ("inside_loss", "outside_loss"), (0, "0", "0%")
LOSSY_PATIENCE_S = 5.0
"""Seconds in which a client's kernel sends a SYN four or five times."""
MOST_PATIENCE_S = 130
"""Seconds after which a client's kernel has given up by itself."""
LEAST_MTU = 576
"""The bytes of a packet that every host takes (RFC 791 section 3.1), and of the longest ICMP error."""


class LinkParameters(BaseModel):
    """The conditions of the hosts' links, in any scenario: by default they delay and lose nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    inside_delay: Time = Field("0ms", description="the time that a frame takes on the link of each inside host")
    inside_jitter: Time = Field("0ms", description="by how much that time varies, at most")
    inside_loss: Share = Field("0%", description="the share of the frames that these links lose, each way")
    inside_reordering: Share = Field("0%", description="the share of the frames there that overtake others")
    inside_rate: Rate | None = Field(None, description="what each of these links carries a second; null: no limit")
    outside_delay: Time = Field("0ms", description="the time that a frame takes on the link of each server")
    outside_jitter: Time = Field("0ms", description="by how much that time varies, at most")
    outside_loss: Share = Field("0%", description="the share of the frames that these links lose, each way")
    outside_reordering: Share = Field("0%", description="the share of the frames there that overtake others")
    outside_rate: Rate | None = Field(
        None, description="what each of these links carries a second; null: no limit"
    )


class Parameters(LinkParameters):
    """The parameters of every scenario, which a user may choose besides the gateway's settings."""

    clients: int = Field(8, strict=True, ge=1, description="inside hosts")
    outside_mtu: int = Field(
        ETHERNET_MTU,
        strict=True,
        ge=LEAST_MTU,
        le=ETHERNET_MTU,
        description="the most bytes of a packet on each link that leads out of a gateway",
    )

    @property
    def subscribers(self) -> int:
        """The number of inside addresses that the NAT sees."""
        return self.clients


class PatientParameters(Parameters):
    """The parameters of a scenario whose attempts may be refused: each is given up after `patience` seconds.

    By default it is longer on links that lose frames, so that an attempt is sent again a few times, and on a slow
    machine.
    """

    patience: float = Field(
        2.0, strict=True, ge=0.5, le=MOST_PATIENCE_S, description="seconds after which an attempt is given up"
    )

    @model_validator(mode="before")
    @classmethod
    def _patient_by_default(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        usual = cls.model_fields["patience"].default
        if any(given.get(key, 0) not in NO_LOSS for key in LOSSES):
            usual = max(usual, LOSSY_PATIENCE_S)
        return {"patience": min(usual * slowness(), MOST_PATIENCE_S), **given}


class SubscriberParameters(Parameters):
    """The parameters of a scenario in which each inside host may have several addresses."""

    addresses_per_client: int = Field(
        1, strict=True, ge=1, description="addresses of each inside host, used in turn; each is a subscriber"
    )

    @property
    def subscribers(self) -> int:
        """The number of inside addresses that the NAT sees."""
        return self.clients * self.addresses_per_client


def derived(description: str, **bounds: Any) -> Any:
    """Return a field whose default depends on the settings: the scenario's `complete` fills it in."""
    return Field(None, strict=True, description=description, **bounds)
