"""Linux's NAT, whose recording reads the kernel's messages with next to no room for them: most are lost."""

from __future__ import annotations

from controller.recording import Kind
from topologies.gateways.conntrack.listener import Listener
from topologies.gateways.netfilter.gateway import NetfilterGateway
from topologies.gateways.recorder import Knows, Recorder

ROOM_BYTES = 2048


class Deaf(NetfilterGateway):
    """A router with the smallest room that the kernel gives."""

    def record(self, recorder: Recorder) -> Knows:
        """Read the kernel's messages, and lose many."""
        external = [str(each) for each in self.plan.settings.external_addresses]
        log = self.plan.folder / "deaf.log"
        self._events = Listener(recorder, self.netns, external, log, room_bytes=ROOM_BYTES)
        return Knows((Kind.ALLOCATED, Kind.CLOSING, Kind.RELEASED, Kind.FREED), "conntrack events")
