"""A switch that does nothing, and remembers what it was asked."""

from __future__ import annotations

from controller.nat.model import Flow
from controller.openflow.rules import Rule, Stopped, Table
from controller.openflow.switch import Arrival


class Recorder:
    """`asked` is what the router has said: the method, then its arguments."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def clear(self) -> None:
        """Remember it."""
        self.asked.append(("clear",))

    def install(self, rule: Rule) -> None:
        """Remember it."""
        self.asked.append(("install", rule))

    def withdraw(self, rule: Rule) -> None:
        """Remember it."""
        self.asked.append(("withdraw", rule))

    def add(self, flow: Flow, cookie: int, cause: Arrival | None) -> None:
        """Remember it."""
        self.asked.append(("add", flow, cookie, cause))

    def remove(self, flow: Flow, cookie: int) -> None:
        """Remember it."""
        self.asked.append(("remove", flow, cookie))

    def inject(self, frame: bytes, in_port: int, table: Table) -> None:
        """Remember it."""
        self.asked.append(("inject", frame, in_port, table))

    def forward(self, frame: bytes) -> None:
        """Remember it."""
        self.asked.append(("forward", frame))

    def send(self, frame: bytes, port: int) -> None:
        """Remember it."""
        self.asked.append(("send", frame, port))

    def poll(self, cookie: int) -> None:
        """Remember it."""
        self.asked.append(("poll", cookie))

    def sum_up(self, why: Stopped) -> None:
        """Remember it."""
        self.asked.append(("sum_up", why))
