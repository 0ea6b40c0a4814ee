"""What tests of plans share."""

from __future__ import annotations

QUICK = {"udp_timeout": 30.0, "tcp_trans_close_timeout": 10.0, "tcp_rst_timeout": 10.0, "hold_down_timeout": 0.0}
"""Timers that are soon over, so that a plan needs a short warm-up."""
