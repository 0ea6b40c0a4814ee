"""Asking a neighbour for its MAC address (RFC 826), from an interface that has no address itself."""

from __future__ import annotations

import ipaddress
import socket
import struct
import time

ASK_EVERY_S = 0.1
ETHERTYPE = 0x0806
REQUEST, REPLY = 1, 2
FEW = 3
NOBODY = ipaddress.IPv4Address(0)
"""The sender of a question for an address that may be nobody's (RFC 5227 section 1.1: ARP Probe)."""
BROADCAST = b"\xff" * 6
_PACKET = struct.Struct("!6s6sHHHBBH6s4s6s4s")


def request(mac: bytes, address: ipaddress.IPv4Address, target: ipaddress.IPv4Address) -> bytes:
    """Return the frame of a question, from `mac` and `address`."""
    head = (BROADCAST, mac, ETHERTYPE, 1, 0x0800, 6, 4, REQUEST)
    return _PACKET.pack(*head, mac, address.packed, bytes(6), target.packed)


def answered_by(frame: bytes, target: ipaddress.IPv4Address) -> str | None:
    """Return the MAC address in a frame, if it is an answer of `target`."""
    if len(frame) < _PACKET.size:
        return None
    *_, ethertype, _, _, _, _, operation, mac, sender, _, _ = _PACKET.unpack_from(frame)
    if (ethertype, operation, sender) != (ETHERTYPE, REPLY, target.packed):
        return None
    return str(mac.hex(":"))


def resolve(
    interface: str, mac: str, address: ipaddress.IPv4Address, target: ipaddress.IPv4Address, *, within: float
) -> str:
    """Ask until `target` answers. Raises TimeoutError after `within` seconds."""
    question = request(bytes.fromhex(mac.replace(":", "")), address, target)
    deadline = time.monotonic() + within
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as wire:
        wire.bind((interface, ETHERTYPE))
        wire.settimeout(ASK_EVERY_S)
        while time.monotonic() < deadline:
            wire.send(question)
            try:
                while (found := answered_by(wire.recv(_PACKET.size), target)) is None:
                    pass
            except TimeoutError:
                continue
            return found
    raise TimeoutError(f"no host at {interface} answered for {target} within {within:.0f} s")


def mac_here(interface: str) -> str:
    """Return an interface's own MAC address, in the namespace that this thread is in."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as asked:
        asked.bind((interface, 0))
        return str(asked.getsockname()[4].hex(":"))


def answers(interface: str, target: ipaddress.IPv4Address, *, within: float) -> bool:
    """Whether `target` answers at an interface, in the namespace that this thread is in, within some seconds."""
    try:
        resolve(interface, mac_here(interface), NOBODY, target, within=within)
    except TimeoutError:
        return False
    return True


def unanswered(
    interface: str,
    target: ipaddress.IPv4Address,
    *,
    sender: ipaddress.IPv4Address = NOBODY,
    questions: int,
    within: float,
) -> tuple[int, int]:
    """Ask `target` up to this number of questions in turn, until a few were not answered within some seconds.

    Return how many were not answered, and how many were asked.
    """
    question = request(bytes.fromhex(mac_here(interface).replace(":", "")), sender, target)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as wire:
        wire.bind((interface, ETHERTYPE))
        lost = 0
        for asked in range(1, questions + 1):
            lost += not _is_answered(wire, question, target, within)
            if lost == FEW:
                return lost, asked
    return lost, questions


def _is_answered(wire: socket.socket, question: bytes, target: ipaddress.IPv4Address, within: float) -> bool:
    wire.send(question)
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            if answered_by(wire.recv(_PACKET.size), target) is not None:
                return True
        except TimeoutError:
            break
    return False
