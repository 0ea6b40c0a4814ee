"""Which mapping and which flow a packet belongs to: the tables of one protocol, by endpoints on both sides.

A mapping is found by the internal endpoint and by as much of the remote one as the mapping behaviour asks for, or
by the external endpoint (and, where ports overlap, by the destination). A flow is found in the same way by as much
of the remote endpoint as its rules tell apart. Keys are integers made of the endpoints that matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from controller.nat.model import Dependence, Endpoint, Flow, Mapping

Key = Callable[[Endpoint, Endpoint], int]


def _key(dependence: Dependence) -> Key:
    """Return the function that joins our own endpoint with what matters of the remote one."""
    if dependence is Dependence.INDEPENDENT:
        return lambda own, remote: own
    if dependence is Dependence.ADDRESS:
        return lambda own, remote: own << 32 | remote >> 16
    return lambda own, remote: own << 48 | remote


class Tables:
    """The mappings and flows of one protocol."""

    def __init__(
        self, *, mapping: Dependence, filtering: Dependence, overlapping: Dependence, flows: Dependence
    ) -> None:
        self._filtering = filtering
        self._flows = flows
        self._internal_key, self._external_key, self._flow_key = _key(mapping), _key(overlapping), _key(flows)
        self._outbound: dict[int, Flow] = {}
        self._inbound: dict[int, Flow] = {}
        # Where flows are endpoint-independent, a mapping has exactly one, and is found by it.
        self._by_internal: dict[int, Mapping] = {}
        self._by_external: dict[int, Mapping] = {}
        self._permits: Counter[int] = Counter()
        self._address_key = _key(Dependence.ADDRESS)
        self._counts_permits = filtering is Dependence.ADDRESS and flows is Dependence.ADDRESS_AND_PORT

    def __len__(self) -> int:
        """Return how many flows there are."""
        return len(self._inbound)

    def flows(self) -> Iterator[Flow]:
        """All flows."""
        return iter(self._inbound.values())

    def outbound(self, internal: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `internal` to `remote`."""
        return self._outbound.get(self._flow_key(internal, remote))

    def inbound(self, external: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `remote` to `external`."""
        return self._inbound.get(self._flow_key(external, remote))

    def by_internal(self, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets from `internal` to `remote` (RFC 4787 section 4.1)."""
        if self._flows:
            return self._by_internal.get(self._internal_key(internal, remote))
        flow = self._outbound.get(internal)
        return None if flow is None else flow.mapping

    def by_external(self, external: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets from `remote` to `external`, whether it may use it or not."""
        if self._flows:
            return self._by_external.get(self._external_key(external, remote))
        flow = self._inbound.get(external)
        return None if flow is None else flow.mapping

    def lets_in(self, mapping: Mapping, remote: Endpoint) -> bool:
        """Whether a remote endpoint without a flow may send through a mapping (RFC 4787 section 5).

        Deviation: the RFC asks to whom the internal endpoint has sent. Where that has several mappings, each
        stands for itself, as in netfilter and in Open vSwitch.
        """
        if self._counts_permits:
            return self._permits[self._address_key(mapping.external, remote)] > 0
        return self._filtering is Dependence.INDEPENDENT

    def add_mapping(self, mapping: Mapping) -> None:
        """Enter a mapping; its first flow follows."""
        if self._flows:
            self._by_internal[self._internal_key(mapping.internal, mapping.scope)] = mapping
            self._by_external[self._external_key(mapping.external, mapping.scope)] = mapping

    def remove_mapping(self, mapping: Mapping) -> None:
        """Remove a mapping without flows."""
        if self._flows:
            del self._by_internal[self._internal_key(mapping.internal, mapping.scope)]
            del self._by_external[self._external_key(mapping.external, mapping.scope)]

    def add_flow(self, flow: Flow) -> None:
        """Enter a flow.

        Two mappings of one internal endpoint may both have a flow with one peer, where mappings depend on the
        remote endpoint and filters less so. Outbound packets then use the one that was there first.
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
        """Remove a flow."""
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
