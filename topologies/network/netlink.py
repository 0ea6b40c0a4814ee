"""What Linux's own network configuration takes: links, addresses and routes, as messages of rtnetlink(7).

The program `ip` does the same, but each call of it is a new process; a network of a thousand hosts takes several
thousand calls. Here each is one message on a socket, of some tens of microseconds. A socket belongs to the network
namespace in which it was made: `Kernel` configures that one, wherever the caller goes afterwards.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import time
from dataclasses import dataclass
from types import TracebackType

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, sender
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, which flags change
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg
_ATTRIBUTE = struct.Struct("=HH")

_NEWLINK, _DELLINK, _NEWADDR, _DELADDR, _NEWROUTE = 16, 17, 20, 21, 24
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_ADD = _CREATE | _EXCL
_ERROR = 2
_NESTED = 0x8000
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_TXQLEN, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 13, 18, 28
_IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES = 31, 32
_INFO_KIND, _INFO_DATA, _VETH_PEER, _BRIDGE_AGEING_TIME, _MACVLAN_MODE = 1, 2, 1, 4, 1
_BRIDGE_SNOOPING, _MACVLAN_PASSTHRU = 23, 8
_A_DAY = 8_640_000
"""In hundredths of a second."""
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_TABLE_MAIN, _TABLE_LOCAL, _PROTOCOL_BOOT = 254, 255, 3
_SCOPE_ANYWHERE, _SCOPE_HOST = 0, 254
_TYPE_UNICAST, _TYPE_LOCAL = 1, 2
_SIOCGIFFLAGS, _SIOCGIFMTU, _SIOCGIFINDEX, _SIOCETHTOOL = 0x8913, 0x8921, 0x8933, 0x8946
_ETHTOOL_LINK, _ETHTOOL_SET_RX_CHECKSUM, _ETHTOOL_SET_TX_CHECKSUM = 0x0A, 0x15, 0x17
_UP, _RUNNING, _NO_ARP = 0x01, 0x40, 0x80
_ANSWER_BYTES = 65536
CONNECTED_WITHIN_S = 60.0
LOOK_EVERY_S = 0.005


@dataclass(frozen=True, slots=True)
class End:
    """One end of a cable: its interface, and a descriptor of the namespace that it is in, or None for ours."""

    interface: str
    mac: str | None
    namespace: int | None


class Kernel:
    """Configures the network namespace in which this is made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()

    def add_cable(self, one: End, other: End) -> None:
        """Make two interfaces, each the other end of the other: veth(4). Raises OSError."""
        peer = _LINK.pack(0, 0, 0, 0, 0) + _end(other)
        kind = _attribute(_INFO_KIND, b"veth") + _attribute(_INFO_DATA | _NESTED, _attribute(_VETH_PEER, peer))
        body = _LINK.pack(0, 0, 0, 0, 0) + _end(one) + _attribute(_IFLA_LINKINFO | _NESTED, kind)
        self._ask(_NEWLINK, _ADD, body, f"the link between {one.interface} and {other.interface}")

    def add_passthrough(self, interface: str, *, of: str, namespace: int) -> None:
        """Make an interface in another namespace that sends and gets all frames of one in this: macvlan, passthru.

        The other keeps its place, its addresses and its flags. When the new one goes, by itself or with its
        namespace, the other is as before. Raises OSError, also if the other is used like this already.
        """
        data = _attribute(_INFO_DATA | _NESTED, _number(_MACVLAN_MODE, _MACVLAN_PASSTHRU))
        kind = _attribute(_IFLA_LINKINFO | _NESTED, _attribute(_INFO_KIND, b"macvlan") + data)
        place = _number(_IFLA_LINK, self.index(of)) + _number(_IFLA_NET_NS_FD, namespace)
        self._ask(_NEWLINK, _ADD, _LINK.pack(0, 0, 0, 0, 0) + _named(interface) + place + kind, f"a way into {of}")

    def add_bridge(self, interface: str, *, snoops: bool = True) -> None:
        """Make a bridge, which switches frames as any switch does, and knows hosts for a day. Raises OSError.

        One that `snoops` looks for multicast groups, and sends a report of its own now and then.
        """
        snooping = _attribute(_BRIDGE_SNOOPING, bytes([snoops]))
        data = _attribute(_INFO_DATA | _NESTED, _number(_BRIDGE_AGEING_TIME, _A_DAY) + snooping)
        kind = _attribute(_IFLA_LINKINFO | _NESTED, _attribute(_INFO_KIND, b"bridge") + data)
        self._ask(_NEWLINK, _ADD, _LINK.pack(0, 0, 0, 0, 0) + _named(interface) + kind, f"bridge {interface}")

    def join(self, interface: str, bridge: str) -> None:
        """Make an interface a port of a bridge. Raises OSError."""
        body = _LINK.pack(0, 0, self.index(interface), 0, 0)
        self._ask(_NEWLINK, 0, body + _number(_IFLA_MASTER, self.index(bridge)), f"port {interface} of {bridge}")

    def set_up(self, interface: str) -> None:
        """Set an interface up, so that it carries packets. Raises OSError."""
        body = _LINK.pack(0, 0, self.index(interface), _UP, _UP)
        self._ask(_NEWLINK, 0, body, f"interface {interface}")

    def set_mtu(self, interface: str, mtu: int) -> None:
        """Set the most bytes of a packet that an interface sends. Raises OSError."""
        body = _LINK.pack(0, 0, self.index(interface), 0, 0) + _number(_IFLA_MTU, mtu)
        self._ask(_NEWLINK, 0, body, f"MTU {mtu} of {interface}")

    def set_mac(self, interface: str, mac: str) -> None:
        """Give an interface a MAC address. Raises OSError."""
        address = _attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
        self._ask(_NEWLINK, 0, _LINK.pack(0, 0, self.index(interface), 0, 0) + address, f"MAC of {interface}")

    def set_queue(self, interface: str, frames: int) -> None:
        """Set the number of frames that may wait to be sent by an interface. Raises OSError."""
        body = _LINK.pack(0, 0, self.index(interface), 0, 0) + _number(_IFLA_TXQLEN, frames)
        self._ask(_NEWLINK, 0, body, f"queue of {interface}")

    def silence_arp(self, interface: str) -> None:
        """Have the kernel neither ask nor answer by ARP on an interface. Raises OSError."""
        body = _LINK.pack(0, 0, self.index(interface), _NO_ARP, _NO_ARP)
        self._ask(_NEWLINK, 0, body, f"ARP on {interface}")

    def delete(self, interface: str) -> None:
        """Remove an interface, and with a cable's end the other. Raises OSError."""
        self._ask(_DELLINK, 0, _LINK.pack(0, 0, self.index(interface), 0, 0), f"interface {interface}")

    def add_address(self, address: ipaddress.IPv4Interface, interface: str) -> None:
        """Give an interface an address. Raises OSError."""
        head = _ADDRESS.pack(socket.AF_INET, address.network.prefixlen, 0, _SCOPE_ANYWHERE, self.index(interface))
        packed = address.ip.packed
        body = head + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
        self._ask(_NEWADDR, _ADD, body, f"address {address} of {interface}")

    def remove_address(self, address: ipaddress.IPv4Interface, interface: str) -> None:
        """Take an address from an interface, and with it the routes that need it. Raises OSError."""
        head = _ADDRESS.pack(socket.AF_INET, address.network.prefixlen, 0, _SCOPE_ANYWHERE, self.index(interface))
        body = head + _attribute(_IFA_LOCAL, address.ip.packed)
        self._ask(_DELADDR, 0, body, f"address {address} of {interface}")

    def add_default_route(self, gateway: ipaddress.IPv4Address) -> None:
        """Route what is for no network on a link to this router. Raises OSError."""
        head = _route(0, _TABLE_MAIN, _SCOPE_ANYWHERE, _TYPE_UNICAST)
        self._ask(_NEWROUTE, _ADD, head + _attribute(_RTA_GATEWAY, gateway.packed), f"default route to {gateway}")

    def add_own_network(self, network: ipaddress.IPv4Network) -> None:
        """Make every address of a network one of the namespace's own, by one route. Raises OSError."""
        head = _route(network.prefixlen, _TABLE_LOCAL, _SCOPE_HOST, _TYPE_LOCAL)
        body = head + _attribute(_RTA_DST, network.network_address.packed) + _number(_RTA_OIF, self.index("lo"))
        self._ask(_NEWROUTE, _ADD, body, f"own addresses {network}")

    def complete_checksums(self, interface: str) -> None:
        """Have the kernel compute every checksum: there is no hardware to leave it to. Raises OSError."""
        self._ethtool(_ETHTOOL_SET_RX_CHECKSUM, interface)
        self._ethtool(_ETHTOOL_SET_TX_CHECKSUM, interface)

    def wait_connected(self, interface: str) -> None:
        """Wait until an interface whose both ends are up is in use; the kernel may take a second to notice.

        Until then a bridge drops what comes in there. Linux 6.8 and later notice when they are asked. Raises
        OSError.
        """
        deadline = time.monotonic() + CONNECTED_WITHIN_S
        self._ethtool(_ETHTOOL_LINK, interface)
        while not self._flags(interface) & _RUNNING:
            if time.monotonic() > deadline:
                raise TimeoutError(f"interface {interface} was not connected within {CONNECTED_WITHIN_S:.0f} s")
            time.sleep(LOOK_EVERY_S)

    def index(self, interface: str) -> int:
        """Return the number of an interface. Raises OSError if there is none."""
        answer = fcntl.ioctl(self._socket, _SIOCGIFINDEX, struct.pack("16s24x", interface.encode()))
        return int(struct.unpack_from("=i", answer, 16)[0])

    def mtu(self, interface: str) -> int:
        """Return the most bytes of a packet that an interface sends. Raises OSError if there is none."""
        answer = fcntl.ioctl(self._socket, _SIOCGIFMTU, struct.pack("16s24x", interface.encode()))
        return int(struct.unpack_from("=i", answer, 16)[0])

    def is_up(self, interface: str) -> bool:
        """Whether an interface may carry packets. Raises OSError if there is none."""
        return bool(self._flags(interface) & _UP)

    def _flags(self, interface: str) -> int:
        answer = fcntl.ioctl(self._socket, _SIOCGIFFLAGS, struct.pack("16s24x", interface.encode()))
        return int(struct.unpack_from("=H", answer, 16)[0])

    def _ethtool(self, command: int, interface: str) -> None:
        value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
        request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
        fcntl.ioctl(self._socket, _SIOCETHTOOL, request)

    def _ask(self, kind: int, flags: int, body: bytes, what: str) -> None:
        """Send a request and read the answer, which is an error number or 0."""
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _ACK | flags, 0, 0) + body)
        answer = self._socket.recv(_ANSWER_BYTES)
        assert _HEADER.unpack_from(answer)[1] == _ERROR
        number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if number:
            raise OSError(number, f"{what}: {os.strerror(number)}")


def _attribute(kind: int, value: bytes) -> bytes:
    """Return a value with its length and kind before it; values begin at multiples of four bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _named(interface: str) -> bytes:
    return _attribute(_IFLA_IFNAME, interface.encode() + b"\0")


def _end(end: End) -> bytes:
    # One queue each way, as all such links use in the end: the kernel takes a millisecond to fall back to it.
    attributes = _named(end.interface) + _number(_IFLA_NUM_TX_QUEUES, 1) + _number(_IFLA_NUM_RX_QUEUES, 1)
    if end.mac is not None:
        attributes += _attribute(_IFLA_ADDRESS, bytes.fromhex(end.mac.replace(":", "")))
    if end.namespace is not None:
        attributes += _number(_IFLA_NET_NS_FD, end.namespace)
    return attributes


def _route(prefix_length: int, table: int, scope: int, kind: int) -> bytes:
    return _ROUTE.pack(socket.AF_INET, prefix_length, 0, 0, table, _PROTOCOL_BOOT, scope, kind, 0)
