"""The parameters of `lastport plan`, besides the NAT's settings."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def _share(default: float, description: str) -> Any:
    return Field(default, ge=0, le=1, description=description)


class PlanParameters(BaseModel):
    """What a user may choose about subscribers, what they do, and how long they are watched."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    subscribers: int = Field(1000, strict=True, ge=1, le=4_000_000, description="inside addresses")
    light: float = _share(0.3, "share of the subscribers that are light: 20 connections at a time each")
    heavy: float = _share(0.02, "share of the subscribers that are heavy: 1,000 connections at a time each")
    duration: float = Field(600.0, gt=0, le=10_000_000, description="simulated seconds that are counted")
    warm_up: float | None = Field(
        None, ge=0, le=10_000_000, description="simulated seconds before; null: until the longest timer is over"
    )
    dns: float = _share(0.4, "share of the connections that are DNS queries over UDP")
    quic: float = _share(0.4, "share of the other connections that are QUIC, over UDP, and not TCP")
    life: float = Field(30.0, gt=0, le=1_000_000, description="mean life of a connection (s)")
    seen_release: float = Field(
        60.0,
        ge=0,
        le=100_000,
        description="seconds for which the NAT kept a connection after its last packet where the sessions of a "
        "subscriber were counted",
    )
    destinations: int = Field(1000, strict=True, ge=1, le=1_000_000, description="servers that all go to")
    zipf: float = Field(1.0, ge=0, le=5, description="exponent of Zipf's law for their popularity")
    resets: float = _share(0.1, "share of the TCP connections that one side resets")
    rest: float | None = Field(
        None, ge=0, le=1000, description="seconds that a freed port rests; null: as in a lab, or 0 with --erlangs"
    )
    block_of_each: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=64512,
        description="ports of the block that each subscriber has for good, by arithmetic (RFC 7422); null: none",
    )
    mean_life: float = Field(60.0, gt=0, le=1_000_000, description="with --erlangs: mean life of a connection (s)")
    sources: int | None = Field(
        None,
        strict=True,
        ge=2,
        le=1_000_000,
        description="with --erlangs: sources of one connection each",
    )
