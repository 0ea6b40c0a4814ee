"""What no run of any scenario may have: frames at the wrong place, and connections that no server knows of."""

from __future__ import annotations

from typing import NamedTuple


class Claim(NamedTuple):
    """The claim that something did not happen, and its source."""

    claim: str
    source: str


CLAIMS = {
    "sources": Claim(
        "no frame left from an address that is neither the NAT's own nor inside",
        "RFC 2827: no packet has a forged source; RFC 826: no ARP passes a router; counted by the kernels outside",
    ),
    "astray-outside": Claim(
        "no server got a packet that a client sent to another",
        "RFC 1812 section 5.2.1: a packet goes to its destination; counted by the kernels of the outside hosts",
    ),
    "astray-inside": Claim(
        "no client got a packet for another, or the answer to another",
        "RFC 3022 section 2.2: it goes to the host of its mapping; counted by the kernels of the inside hosts",
    ),
    "unanswered": Claim(
        "no connection was made or answered in the name of a server that never knew of it",
        "RFC 9293 section 3.5: the other end is the server; by the servers' records and on the wire outside",
    ),
}
"""What is claimed in every run, by the key of its check."""
