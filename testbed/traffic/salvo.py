"""A program that sends single datagrams at given moments, by sockets that it gets open.

    python -m testbed.traffic.salvo PROCESSOR START APART ROUNDS

ROUNDS is JSON: for each round its datagrams, each the descriptor of a connected socket and the data as hexadecimal
digits. Round n begins at START + n * APART, by the monotonic clock. Several of these programs that get the same
moments, on processors of their own, send at the same instant: each waits for it without sleeping.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

AWAKE_S = 0.003
"""Seconds before its moment for which a round waits without sleeping."""


def main() -> None:
    """Send all rounds."""
    processor, start, apart, rounds = sys.argv[1:]
    with contextlib.suppress(OSError):  # there may be only one
        os.sched_setaffinity(0, {int(processor)})
    for number, datagrams in enumerate(json.loads(rounds)):
        ready = [(descriptor, bytes.fromhex(data)) for descriptor, data in datagrams]
        moment = float(start) + number * float(apart)
        time.sleep(max(0.0, moment - time.monotonic() - AWAKE_S))
        while time.monotonic() < moment:
            pass
        for descriptor, data in ready:
            with contextlib.suppress(OSError):  # an ICMP error about an earlier one
                os.write(descriptor, data)


if __name__ == "__main__":
    main()
