"""slirp4netns that does not declare that it ends connections, and begins others in their place."""

from __future__ import annotations

import dataclasses
from typing import Any

from controller.settings import Settings
from topologies.gateways.behaviour import TRANSLATES, Behaviour
from topologies.gateways.slirp.gateway import SlirpGateway


class SecretRelay(SlirpGateway):
    """The gateway `slirp`, with one word of its declaration changed."""

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what `slirp` declares, as a NAT that translates."""
        return dataclasses.replace(super().declare(settings, options), relays=TRANSLATES)
