"""Mininet's nodes and links, made without a process for each step; otherwise they are as Mininet's own.

A node of Mininet is a shell, and its links and addresses are commands of it: 40 ms for each host. Here a node's
network namespace is made by this process, and its links and addresses by messages to the kernel (`netlink`). Its
shell starts when it is needed: with the first `cmd`, `popen`, `pid`, or a command at Mininet's prompt.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mininet.link import Intf, Link, OVSLink, TCLink, TCULink
from mininet.node import Node

from topologies.network.namespaces import Namespace, show_own_interfaces
from topologies.network.netlink import End, Kernel
from topologies.network.sysctls import EVERYWHERE, write_sysctls


class OfShell:
    """An attribute of a node's shell. Reading it starts the shell."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, node: Any, owner: type) -> Any:
        node.need_shell()
        return node.__dict__[self._name]

    def __set__(self, node: Any, value: Any) -> None:
        node.__dict__[self._name] = value


class LabNode(Node):
    """A node with a network namespace at once, if it has one of its own, and a shell when it is needed.

    As the base before a class of Mininet's, it changes that class so. `on_shell` is called with the node when its
    shell has started.
    """

    shell, pid, stdin, stdout, pollOut = OfShell(), OfShell(), OfShell(), OfShell(), OfShell()  # noqa: N815
    inNamespace: bool  # noqa: N815 (Mininet's name)
    namespace: Namespace | None = None
    on_shell: Callable[[Any], None] | None = None
    _may_start = _is_starting = False

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802 (Mininet's name)
        """Make the network namespace; Mininet calls this when the node is made."""
        self.namespace = self.own_namespace() if self.inNamespace else None
        self._may_start = True

    def own_namespace(self) -> Namespace:
        """Return the namespace for this node: a new one."""
        return Namespace()

    def need_shell(self) -> None:
        """Start the shell, unless it has started before or the node has ended."""
        if not self._may_start:
            return
        self._may_start, self._is_starting = False, True
        in_namespace = self.inNamespace
        self.inNamespace = False  # or it would have a new one of its own
        try:
            with self.namespace.entered() if self.namespace else contextlib.nullcontext():
                super().startShell()
        finally:
            self.inNamespace, self._is_starting = in_namespace, False
        if self.on_shell is not None:
            self.on_shell(self)

    @property
    def has_shell(self) -> bool:
        """Whether the shell has started."""
        return self.__dict__.get("shell") is not None

    @property
    def netns(self) -> str:
        """The path at which the network namespace of this node can be opened."""
        return self.namespace.path if self.namespace else f"/proc/{os.getpid()}/ns/net"

    @contextlib.contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """Configure the network namespace that this node is in."""
        with self.namespace.entered() if self.namespace else contextlib.nullcontext():
            kernel = Kernel()
        with kernel:
            yield kernel

    def terminate(self) -> None:
        """End the shell if there is one, and close the namespace."""
        self._may_start = False
        super().terminate()
        if self.namespace is not None:
            self.namespace.close()

    def _popen(self, cmd: list[str], **params: Any) -> Any:
        if self._is_starting and self.namespace is not None:
            params["preexec_fn"] = show_own_interfaces
        return super()._popen(cmd, **params)

    def __repr__(self) -> str:
        """Describe it as Mininet does, and start no shell for that."""
        interfaces = ",".join(f"{interface.name}:{interface.IP()}" for interface in self.intfList())
        return f"<{type(self).__name__} {self.name}: {interfaces} pid={self.__dict__['pid']}> "


class TunedNode(LabNode):
    """A node with a namespace of its own that has the settings of every lab, and its loopback interface up."""

    sysctls: Mapping[str, str] = EVERYWHERE

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802 (Mininet's name)
        """Make the network namespace, with these settings."""
        super().startShell(mnopts)
        assert self.namespace is not None
        with self.namespace.entered(), Kernel() as kernel:
            write_sysctls(self.sysctls)
            kernel.set_up("lo")


class LabIntf(Intf):
    """An interface of a node, which goes up and away without a command."""

    def isUp(self, setUp: bool = False) -> bool:  # noqa: N802 (Mininet's name)
        """Return whether the interface is up; with `setUp`, set it up first."""
        if not isinstance(self.node, LabNode):
            return bool(super().isUp(setUp))
        with self.node.kernel() as kernel:
            if setUp:
                kernel.set_up(self.name)
            return kernel.is_up(self.name)

    def set_mtu(self, mtu: int) -> None:
        """Set the most bytes of a packet that the interface sends."""
        with self.node.kernel() as kernel:
            kernel.set_mtu(self.name, mtu)

    def delete(self) -> None:
        """Remove the interface, unless it went with the other end of its link."""
        if not isinstance(self.node, LabNode):
            super().delete()
            return
        with self.node.kernel() as kernel, contextlib.suppress(OSError):
            kernel.delete(self.name)
        self.node.delIntf(self)
        self.link = None


class LabLink(Link):
    """A cable between two nodes, of whatever classes they are; `mtu` is the most bytes of a packet on it."""

    def __init__(
        self,
        node1: Any,
        node2: Any,
        *args: Any,
        intf: type[Intf] = LabIntf,
        mtu: int | None = None,
        **params: Any,
    ) -> None:
        # Mininet always names a class of interfaces, its own unless it is told another.
        super().__init__(node1, node2, *args, intf=LabIntf if intf is Intf else intf, **params)
        if mtu is not None:
            for end in (self.intf1, self.intf2):
                end.set_mtu(mtu)

    @classmethod
    def makeIntfPair(  # noqa: N802 (Mininet's name)
        cls,
        intfname1: str,
        intfname2: str,
        addr1: str | None = None,
        addr2: str | None = None,
        node1: Any = None,
        node2: Any = None,
        deleteIntfs: bool = True,  # noqa: N803 (Mininet's name)
    ) -> None:
        """Make both interfaces where they belong. Raises OSError."""
        with _namespace_of(node1) as one, _namespace_of(node2) as other, Kernel() as kernel:
            kernel.add_cable(End(intfname1, addr1, one), End(intfname2, addr2, other))


@contextlib.contextmanager
def _namespace_of(node: Any) -> Iterator[int | None]:
    """Give a descriptor of the namespace that a node is in, or None if that is ours."""
    if not node.inNamespace:
        yield None
    elif isinstance(node, LabNode):
        assert node.namespace is not None
        yield node.namespace.descriptor
    else:
        descriptor = os.open(f"/proc/{node.pid}/ns/net", os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


LINKS = {"default": LabLink, "tc": TCLink, "tcu": TCULink, "ovs": OVSLink}
"""By the names of `mn --link`. A file for `mn --custom` that imports this replaces Mininet's own table."""
