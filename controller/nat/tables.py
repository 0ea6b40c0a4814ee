"""The mapping and the flow that a packet belongs to: the tables of one protocol, by endpoints on both sides.

Where mapping and filtering are endpoint-independent, a mapping has one flow, with all peers. Both are found by our
own endpoint: `Tables`. Else a mapping may have flows with several peers: `PeerTables`. There a mapping is found by
the internal endpoint and the part of the remote one that the mapping behaviour depends on, or by the external
endpoint (and by the destination, where ports overlap). A flow is found in the same way, by the part of the remote
endpoint that its rules match. Keys are integers made of the endpoints that matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from controller.nat.model import Dependence, Endpoint, Flow, Mapping
from controller.nat.settings import NatSettings

Key = Callable[[Endpoint, Endpoint], int]


def _key(dependence: Dependence) -> Key:
    """Return the function that joins our own endpoint with what matters of the remote one."""
    if dependence is Dependence.INDEPENDENT:
        return lambda own, remote: own
    if dependence is Dependence.ADDRESS:
        return lambda own, remote: own << 32 | remote >> 16
    return lambda own, remote: own << 48 | remote


def tables_for(settings: NatSettings) -> Tables:
    """Return the tables that such a NAT needs."""
    return PeerTables(settings) if settings.flows else Tables()


class Tables:
    """The mappings of one protocol, each with its one flow."""

    def __init__(self) -> None:
        self._outbound: dict[int, Flow] = {}
        self._inbound: dict[int, Flow] = {}

    def __len__(self) -> int:
        """Return the number of flows."""
        return len(self._inbound)

    def flows(self) -> Iterator[Flow]:
        """Return all flows, whatever their mapping."""
        return iter(self._inbound.values())

    def outbound(self, internal: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `internal` to `remote`."""
        return self._outbound.get(internal)

    def inbound(self, external: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `remote` to `external`."""
        return self._inbound.get(external)

    def by_internal(self, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets from `internal` to `remote` (RFC 4787 section 4.1)."""
        flow = self._outbound.get(internal)
        return None if flow is None else flow.mapping

    def by_external(self, external: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets from `remote` to `external`, whether `remote` may use it or not."""
        flow = self._inbound.get(external)
        return None if flow is None else flow.mapping

    def is_mapped(self, external: Endpoint) -> bool:
        """Whether an external endpoint belongs to a mapping, whatever remote endpoint may use it."""
        return external in self._inbound

    def lets_in(self, mapping: Mapping, remote: Endpoint) -> bool:
        """Whether a remote endpoint without a flow may send through a mapping (RFC 4787 section 5)."""
        return True

    def add_mapping(self, mapping: Mapping) -> None:
        """Enter a mapping, before its first flow."""

    def remove_mapping(self, mapping: Mapping) -> None:
        """Remove a mapping, after its last flow."""

    def add_flow(self, flow: Flow) -> None:
        """Enter the one flow of its mapping."""
        mapping = flow.mapping
        self._outbound[mapping.internal] = self._inbound[mapping.external] = flow
        mapping.flows = [flow]

    def remove_flow(self, flow: Flow) -> None:
        """Remove the one flow of its mapping."""
        mapping = flow.mapping
        del self._outbound[mapping.internal], self._inbound[mapping.external]
        mapping.flows.clear()


class PeerTables(Tables):
    """The mappings of one protocol, and their flows with peers."""

    def __init__(self, settings: NatSettings) -> None:
        super().__init__()
        self._internal_key, self._external_key = _key(settings.mapping), _key(settings.overlapping)
        self._flow_key, self._address_key = _key(settings.flows), _key(Dependence.ADDRESS)
        self._by_internal: dict[int, Mapping] = {}
        self._by_external: dict[int, Mapping] = {}
        # Where ports overlap, a mapping is not found by its external endpoint alone.
        self._overlap = settings.overlapping is not Dependence.INDEPENDENT
        self._sharers: Counter[Endpoint] = Counter()
        self._filters = settings.filtering is not Dependence.INDEPENDENT
        # Flows differ by ports and the filter does not: it has to count the flows with each address.
        self._counts_permits = (
            settings.filtering is Dependence.ADDRESS and settings.flows is Dependence.ADDRESS_AND_PORT
        )
        self._permits: Counter[int] = Counter()

    def outbound(self, internal: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `internal` to `remote`."""
        return self._outbound.get(self._flow_key(internal, remote))

    def inbound(self, external: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `remote` to `external`."""
        return self._inbound.get(self._flow_key(external, remote))

    def by_internal(self, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets from `internal` to `remote` (RFC 4787 section 4.1)."""
        return self._by_internal.get(self._internal_key(internal, remote))

    def by_external(self, external: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets from `remote` to `external`, whether `remote` may use it or not."""
        return self._by_external.get(self._external_key(external, remote))

    def is_mapped(self, external: Endpoint) -> bool:
        """Whether an external endpoint belongs to a mapping, whatever remote endpoint may use it."""
        return external in (self._sharers if self._overlap else self._by_external)

    def lets_in(self, mapping: Mapping, remote: Endpoint) -> bool:
        """Whether a remote endpoint without a flow may send through a mapping (RFC 4787 section 5).

        Deviation: the RFC asks which endpoints the internal endpoint has sent to. Where that has several mappings,
        each counts for itself, as in netfilter and in Open vSwitch.
        """
        if self._counts_permits:
            return self._permits[self._address_key(mapping.external, remote)] > 0
        return not self._filters

    def add_mapping(self, mapping: Mapping) -> None:
        """Enter a mapping, before its first flow."""
        self._by_internal[self._internal_key(mapping.internal, mapping.toward)] = mapping
        self._by_external[self._external_key(mapping.external, mapping.toward)] = mapping
        if self._overlap:
            self._sharers[mapping.external] += 1

    def remove_mapping(self, mapping: Mapping) -> None:
        """Remove a mapping, after its last flow."""
        del self._by_internal[self._internal_key(mapping.internal, mapping.toward)]
        del self._by_external[self._external_key(mapping.external, mapping.toward)]
        if self._overlap:
            self._sharers[mapping.external] -= 1
            if not self._sharers[mapping.external]:
                del self._sharers[mapping.external]

    def add_flow(self, flow: Flow) -> None:
        """Enter a flow.

        Two mappings of one internal endpoint may both have a flow with one peer, where mappings depend on more of
        the remote endpoint than the filter. Outbound packets then use the flow that was there first.
        """
        mapping, peer = flow.mapping, flow.peer
        first = self._outbound.setdefault(self._flow_key(mapping.internal, peer), flow)
        flow.is_inbound_only = first is not flow
        self._inbound[self._flow_key(mapping.external, peer)] = flow
        if mapping.flows:
            mapping.flows.append(flow)
        else:
            mapping.flows = [flow]  # most never get a second, and a list that grows takes half as much again
        if self._counts_permits:
            self._permits[self._address_key(mapping.external, peer)] += 1

    def remove_flow(self, flow: Flow) -> None:
        """Remove one of the flows of its mapping."""
        mapping, peer = flow.mapping, flow.peer
        if not flow.is_inbound_only:
            del self._outbound[self._flow_key(mapping.internal, peer)]
        del self._inbound[self._flow_key(mapping.external, peer)]
        last = mapping.flows.pop()
        if last is not flow:
            mapping.flows[flow.place] = last
            last.place = flow.place
        if self._counts_permits:
            self._permits[self._address_key(mapping.external, peer)] -= 1
            if not self._permits[self._address_key(mapping.external, peer)]:
                del self._permits[self._address_key(mapping.external, peer)]
