"""What a user may choose about a scenario besides the settings; a scenario derives its own from these."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Parameters(BaseModel):
    """What a user may choose about every scenario, besides the gateway's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    clients: int = Field(8, strict=True, ge=1, description="inside hosts")

    @property
    def subscribers(self) -> int:
        """The number of inside addresses that the NAT sees."""
        return self.clients


class PatientParameters(Parameters):
    """What a user may choose where attempts are refused: each is given up some time."""

    patience: float = Field(
        2.0, strict=True, ge=0.5, le=130, description="seconds after which an attempt is given up"
    )


class SubscriberParameters(Parameters):
    """What a user may choose where it is of no importance that a host has one address only."""

    addresses_per_client: int = Field(
        1, strict=True, ge=1, description="addresses of each inside host, used in turn: each is a subscriber"
    )

    @property
    def subscribers(self) -> int:
        """The number of inside addresses that the NAT sees."""
        return self.clients * self.addresses_per_client


def derived(description: str, **bounds: Any) -> Any:
    """Return a field whose default depends on the settings: `complete` fills it in before the run."""
    return Field(None, strict=True, description=description, **bounds)
