"""The textbook's NAT, `docs/examples/apps/textbook.py`, as the bench runs it: unchanged, with a link to the bench.

What is added sees no packet: it reports when packets are translated, and takes note of connections whose rules the
bench has installed itself. For os-ken, the names of Ryu are replaced in the text.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from benchmarks.reference.textbook.link import Link
from controller.openflow.framework import handler, name, ofp_event, parser, version

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "apps" / "textbook.py"


def _example() -> Any:
    text = EXAMPLE.read_text()
    if name == "os-ken":
        text = text.replace("from ryu.", "from os_ken.").replace("RyuApp", "OSKenApp")
    module = ModuleType(EXAMPLE.stem)
    exec(compile(text, EXAMPLE, "exec"), vars(module))
    return module


class Measured(_example().Textbook):  # type: ignore[misc] # it is the framework's
    """The controller of one switch, with one external address."""

    link: ClassVar[Link]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.link.answer(self.adopt)

    @handler.set_ev_cls(ofp_event.EventOFPSwitchFeatures, handler.CONFIG_DISPATCHER)
    def switch_features(self, event: Any) -> None:
        """Ask the switch to report when it has the rule."""
        super().switch_features(event)
        event.msg.datapath.send_msg(parser.OFPBarrierRequest(event.msg.datapath))

    @handler.set_ev_cls(ofp_event.EventOFPBarrierReply, handler.MAIN_DISPATCHER)
    def ready(self, _event: Any) -> None:
        """Report that packets are translated from now on."""
        self.link.send(ready=True, framework=version())

    def adopt(self, flows: list[tuple[int, str, int, int]]) -> None:
        """Note connections whose rules the bench has installed, to fill the table fast."""
        for protocol, source, source_port, port in flows:
            self.connections[protocol, source, source_port] = port
        taken = {port for _, _, _, port in flows}
        for protocol, free in self.free.items():
            if flows and protocol == flows[0][0]:
                self.free[protocol] = [port for port in free if port not in taken]
