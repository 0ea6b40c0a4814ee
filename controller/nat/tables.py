"""The mapping and the flow that a packet belongs to: the tables of one protocol, by endpoints on both sides.

Where a flow carries a mapping's packets to and from all peers, both are found by our own endpoint: `Tables`. Where
mappings are endpoint-independent, and each session has a flow, the mapping is found so, and the flow among those
of the mapping: `SessionTables`. All other tables are `PeerTables`. There a mapping is found by the internal
endpoint and the part of the remote one that the mapping behaviour depends on, or by the external endpoint (and by
the destination, where ports overlap). A flow is found in the same way, by the part of the remote endpoint that its
rules match. Keys are integers made of the endpoints that matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from controller.nat.model import Dependence, Endpoint, Flow, Mapping, Protocol
from controller.nat.settings import NatSettings

Key = Callable[[Endpoint, Endpoint], int]


def _key(dependence: Dependence) -> Key:
    """Return the function that joins our own endpoint with what matters of the remote one."""
    if dependence is Dependence.INDEPENDENT:
        return lambda own, remote: own
    if dependence is Dependence.ADDRESS:
        return lambda own, remote: own << 32 | remote >> 16
    return lambda own, remote: own << 48 | remote


def tables_for(settings: NatSettings, protocol: Protocol) -> Tables:
    """Return the tables that such a NAT needs for a protocol."""
    told_apart = settings.flows(protocol)
    if not told_apart:
        return Tables()
    # Mappings do not depend on the peer, nor does the filter, or it needs no more than the flow itself.
    is_simple = not settings.mapping and settings.filtering is not Dependence.ADDRESS
    if is_simple and told_apart is Dependence.ADDRESS_AND_PORT:
        return SessionTables(settings.filtering is Dependence.INDEPENDENT)
    return PeerTables(settings, told_apart, settings.overlaps(protocol))


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

    def answered(self, flow: Flow) -> None:
        """Let an answered stranger's flow open the filter, as those of the inside do."""

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


class SessionTables(Tables):
    """The mappings of one protocol by our own endpoint, and a flow for each session."""

    def __init__(self, lets_in: bool) -> None:
        super().__init__()
        self._by_internal: dict[int, Mapping] = {}
        self._by_external: dict[int, Mapping] = {}
        self._by_peer: dict[Mapping, dict[Endpoint, Flow]] = {}
        """The flows of mappings with several. Most have one."""
        self._lets_in = lets_in
        self._flows = 0

    def __len__(self) -> int:
        """Return the number of flows."""
        return self._flows

    def flows(self) -> Iterator[Flow]:
        """Return all flows, whatever their mapping."""
        for mapping in self._by_internal.values():
            yield from mapping.flows

    def outbound(self, internal: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `internal` to `remote`."""
        mapping = self._by_internal.get(internal)
        return None if mapping is None else self._with(mapping, remote)

    def inbound(self, external: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `remote` to `external`."""
        mapping = self._by_external.get(external)
        return None if mapping is None else self._with(mapping, remote)

    def _with(self, mapping: Mapping, remote: Endpoint) -> Flow | None:
        flows = mapping.flows
        if len(flows) > 1:
            return self._by_peer[mapping].get(remote)
        return flows[0] if flows and flows[0].peer == remote else None

    def by_internal(self, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets from `internal`."""
        return self._by_internal.get(internal)

    def by_external(self, external: Endpoint, remote: Endpoint) -> Mapping | None:
        """Return the mapping for packets to `external`."""
        return self._by_external.get(external)

    def lets_in(self, mapping: Mapping, remote: Endpoint) -> bool:
        """Whether a remote endpoint without a flow may send through a mapping (RFC 4787 section 5)."""
        return self._lets_in

    def is_mapped(self, external: Endpoint) -> bool:
        """Whether an external endpoint belongs to a mapping."""
        return external in self._by_external

    def add_mapping(self, mapping: Mapping) -> None:
        """Enter a mapping, before its first flow."""
        self._by_internal[mapping.internal] = self._by_external[mapping.external] = mapping

    def remove_mapping(self, mapping: Mapping) -> None:
        """Remove a mapping, after its last flow."""
        del self._by_internal[mapping.internal], self._by_external[mapping.external]

    def add_flow(self, flow: Flow) -> None:
        """Enter a flow."""
        mapping = flow.mapping
        self._flows += 1
        if not mapping.flows:
            mapping.flows = [flow]  # a list that grows takes half as much again
            return
        mapping.flows.append(flow)
        if mapping not in self._by_peer:
            self._by_peer[mapping] = {each.peer: each for each in mapping.flows}
        self._by_peer[mapping][flow.peer] = flow

    def remove_flow(self, flow: Flow) -> None:
        """Remove one of the flows of its mapping."""
        mapping = flow.mapping
        self._flows -= 1
        _remove_from_mapping(flow)
        if mapping in self._by_peer:
            del self._by_peer[mapping][flow.peer]
            if len(mapping.flows) == 1:
                del self._by_peer[mapping]


class PeerTables(Tables):
    """The mappings of one protocol, and their flows with peers."""

    def __init__(self, settings: NatSettings, told_apart: Dependence, overlapping: Dependence) -> None:
        super().__init__()
        self._internal_key, self._external_key = _key(settings.mapping), _key(overlapping)
        self._flow_key, self._address_key = _key(told_apart), _key(Dependence.ADDRESS)
        self._by_internal: dict[int, Mapping] = {}
        self._by_external: dict[int, Mapping] = {}
        # Where ports overlap, a mapping is not found by its external endpoint alone.
        self._overlap = overlapping is not Dependence.INDEPENDENT
        self._sharers: Counter[Endpoint] = Counter()
        self._filters = settings.filtering is not Dependence.INDEPENDENT
        # Flows differ by ports and the filter does not: it has to count the flows with each address.
        self._counts_permits = (
            settings.filtering is Dependence.ADDRESS and told_apart is Dependence.ADDRESS_AND_PORT
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
            return self._address_key(mapping.external, remote) in self._permits
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

    def answered(self, flow: Flow) -> None:
        """Let an answered stranger's flow open the filter, as those of the inside do."""
        if self._counts_permits:
            self._permits[self._address_key(flow.mapping.external, flow.peer)] += 1

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
        if self._counts_permits and not flow.is_strangers:
            self._permits[self._address_key(mapping.external, peer)] += 1

    def remove_flow(self, flow: Flow) -> None:
        """Remove one of the flows of its mapping."""
        mapping, peer = flow.mapping, flow.peer
        if not flow.is_inbound_only:
            del self._outbound[self._flow_key(mapping.internal, peer)]
        del self._inbound[self._flow_key(mapping.external, peer)]
        _remove_from_mapping(flow)
        if self._counts_permits and not flow.is_strangers:
            address = self._address_key(mapping.external, peer)
            self._permits[address] -= 1
            if not self._permits[address]:
                del self._permits[address]


def _remove_from_mapping(flow: Flow) -> None:
    """Remove a flow from those of its mapping, of which the last one takes its place."""
    flows = flow.mapping.flows
    last = flows.pop()
    if last is not flow:
        flows[flow.place] = last
        last.place = flow.place
