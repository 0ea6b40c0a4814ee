"""Ask an outbox for counts faster than a switch answers, and print what it sent.

It is a program of its own, since the framework patches the standard library of its process.
"""

from __future__ import annotations

import json

from controller.openflow import messages
from controller.openflow.outbox import Outbox
from controller.settings import Settings


def main() -> None:
    """Print the cookies that were asked for: at first, after one reply, and when all is answered."""
    outbox = Outbox(Settings().for_nat().flows)
    asked: list[int] = []

    def poll(cookie: int) -> object:
        asked.append(cookie)
        return original(cookie)

    original, messages.poll = messages.poll, poll
    for _ in range(3):
        for cookie in range(1, 8):
            outbox.poll(cookie)
    first = list(asked)
    replied = [outbox.polled(1)]
    second = list(asked)
    replied += [outbox.polled(xid) for xid in range(2, 8)]
    outbox.poll(1)
    print(json.dumps({"first": first, "second": second, "all": asked, "replied": replied}))


if __name__ == "__main__":
    main()
