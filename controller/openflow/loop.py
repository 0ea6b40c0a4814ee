"""The connection to a switch: it reads all that has come, decides on all of it, and answers in one piece.

The framework's own loop makes objects of each message, passes it through an event queue, and takes a system call
for each answer. Here a usual packet-in goes to the application by fixed offsets. Any other message goes to the
framework's parsers and handlers, in its turn. So does a packet-in that carries more than its port, such as
register 0 of a packet that was injected.

Reading never waits for writing. A switch whose replies pile up stops reading. If the controller waited for it, and
did not read meanwhile, both would wait for ever. So what the socket does not take at once is kept for a greenlet
of its own. That stays bounded: a switch that reads nothing sends nothing either.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable
from typing import Any, ClassVar

from controller.openflow.fatal import fatal
from controller.openflow.framework import Datapath, dispatch, handler, hub, ofproto
from controller.openflow.rules import Table

READ_BYTES = 256 * 1024
"""The most bytes that are read at once: some 2,500 packet-ins."""
OTHERS_WAIT_S = 0.01
"""The longest that other greenlets, such as the tick, wait while there is always something to read."""

_HEADER = struct.Struct("!HH4x")
"""Of every message: version with type, and length."""
_PACKET_IN = struct.Struct("!HH8xHxB8xQI")
"""Of a packet-in besides: the frame's length, table, the head of a match with its first field's, and the value."""
_FRAME_AT = 42
_IS_PACKET_IN = ofproto.OFP_VERSION << 8 | ofproto.OFPT_PACKET_IN
_IN_PORT_ALONE = 0x0001_000C_80000004
"""An OXM match 12 bytes long, of which the header of `in_port` is the first field."""
_TABLES = tuple(Table)

PacketIns = Callable[[Table, int, bytes, float], None]


class Connection(Datapath):
    """A switch; the framework calls it a datapath."""

    packet_in: ClassVar[PacketIns]
    """Decides on a frame: table, port, frame, time."""
    answer: ClassVar[Callable[[], None]]
    """Sends what was decided since."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._unsent = bytearray()
        self._has_unsent = hub.Event()

    # By the framework's names: it runs both loops, each in a greenlet, and sends by the third

    @fatal
    def _recv_loop(self) -> None:
        received, others_ran = b"", time.monotonic()
        while self.state != handler.DEAD_DISPATCHER:
            try:
                chunk = self.socket.recv(READ_BYTES)
            except TimeoutError:
                continue
            except OSError:
                break
            if not chunk:
                break
            now = time.monotonic()
            received = self._handle(received + chunk, now)
            type(self).answer()
            if now - others_ran > OTHERS_WAIT_S:
                hub.sleep(0)
                others_ran = time.monotonic()
        self.socket.close()

    def _send_loop(self) -> None:
        try:
            while True:
                self._has_unsent.wait()
                self._has_unsent.clear()
                while self._unsent:
                    self._send_some()
        except OSError:
            self.close()

    def _send_some(self) -> None:
        """Send what there is room for, and wait for room while others run: a slow switch is not a lost one."""
        with contextlib.suppress(TimeoutError):
            sent = self.socket.send(self._unsent)
            del self._unsent[:sent]

    def send(self, data: bytes | bytearray, close_socket: bool = False) -> bool:
        """Send now what the socket takes at once, and the rest in its turn."""
        if self.state == handler.DEAD_DISPATCHER:
            return False
        if not self._unsent:
            data = data[self._sent_at_once(data) :]
        if data:
            self._unsent += data
            self._has_unsent.set()
        if close_socket:
            self._close_write()
        return True

    def _sent_at_once(self, data: bytes | bytearray) -> int:
        try:
            return int(self.socket.fd.send(data))  # the socket itself, which does not wait
        except OSError:
            return 0  # there is no room, or no switch: the other loop will find out

    def _handle(self, data: bytes, now: float) -> bytes:
        """Handle each complete message, in order, and return the rest."""
        at, end, packet_in = 0, len(data), type(self).packet_in
        is_open = self.state == handler.MAIN_DISPATCHER
        while (rest := end - at) >= _HEADER.size:
            if rest < _PACKET_IN.size:
                (kind, length), match = _HEADER.unpack_from(data, at), 0
            else:
                kind, length, size, table, match, in_port = _PACKET_IN.unpack_from(data, at)
            if rest < length:
                break
            if kind == _IS_PACKET_IN and is_open and match == _IN_PORT_ALONE and size == length - _FRAME_AT:
                packet_in(_TABLES[table], in_port, data[at + _FRAME_AT : at + length], now)
                at += length
                continue
            type(self).answer()
            dispatch(self, data[at : at + length])
            now = time.monotonic()
            is_open = self.state == handler.MAIN_DISPATCHER
            at += length
        return data[at:]
