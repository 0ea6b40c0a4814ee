"""What no run of any scenario may have: frames that should not be, and connections that no server knows of."""

from __future__ import annotations

from typing import NamedTuple

from testbed.evidence.oddities import FRAGMENTED, PROTOCOLS, QUOTED


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
        "no client got a packet for another, the answer to another, or a frame that is neither IPv4 nor ARP",
        "RFC 3022 section 2.2: it goes to the host of its mapping; counted by the kernels of the inside hosts",
    ),
    FRAGMENTED: Claim(
        "no packet came in fragments, since no host sent fragments, or packets that had to become some",
        "RFC 791 section 3.2: a packet that fits is sent on whole; seen in the kernels of all hosts",
    ),
    PROTOCOLS: Claim(
        "no host got another protocol than TCP, UDP and ICMP, since no host sent one",
        "RFC 3022 section 4: a NAT translates sessions, and makes none; seen in the kernels of all hosts",
    ),
    QUOTED: Claim(
        "no ICMP error outside quoted a packet with an inside address",
        "RFC 5508 REQ-4, REQ-5: a NAT translates the quoted packet as well; seen in the kernels outside",
    ),
    "unanswered": Claim(
        "no connection was made or answered in the name of a server that never knew of it",
        "RFC 9293 section 3.5: the other end is the server; by the servers' records and on the wire outside",
    ),
}
"""What is claimed in every run, by the key of its check."""
