"""Messages of our own pipeline as bytes, for a controller that uses no framework when it runs."""

from __future__ import annotations

from typing import Any

from controller.openflow.commands import Clear, Command, Inject, Install, Send
from controller.openflow.framework import ProtocolDesc, ofproto, parser
from controller.openflow.messages import messages
from controller.openflow.pipeline import Rule

_VERSION = ProtocolDesc(ofproto.OFP_VERSION)


def addition(rule: Rule) -> bytes:
    """Return the message that adds a rule."""
    return _carried_out(Install(rule))


def injection(frame: bytes, in_port: int) -> bytes:
    """Return the message that puts a frame back where it came in, marked as decided."""
    return _carried_out(Inject(frame, in_port))


def sending(frame: bytes, port: int) -> bytes:
    """Return the message that sends a frame out of a port."""
    return _carried_out(Send(frame, port))


def clear() -> bytes:
    """Return the messages that remove every rule, and set the meter up anew."""
    return _carried_out(Clear())


def hello() -> bytes:
    """Return the greeting."""
    return _bytes(parser.OFPHello(_VERSION))


def barrier() -> bytes:
    """Return what asks for a reply when all before it is done."""
    return _bytes(parser.OFPBarrierRequest(_VERSION))


def _carried_out(command: Command) -> bytes:
    return b"".join(map(_bytes, messages(_VERSION, command)))


def _bytes(message: Any) -> bytes:
    message.set_xid(0)
    message.serialize()
    return bytes(message.buf)
