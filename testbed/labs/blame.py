"""Whether the submission is the cause why a run broke, by the reason that the run itself gives.

The reason has to name the process that the submission runs in. If that process has ended, the submission is the
cause. If the kernel killed it or it was not there in time, the machine may be the cause: it may lack memory, or be
too busy. So a second run decides. A limit of time of the project's own controller is never the submission's.
"""

from __future__ import annotations

import re
from enum import Enum

CONTROLLER, NAT = "gateway's controller", "the (?:app|program) .+?"
PROCESSES = {"allocator": CONTROLLER, "policy": CONTROLLER, "nat": NAT}
"""What the process is called that a submission of this kind runs in. A student's own scenario is in none."""
BY_ITSELF = "(?:has )?ended|was killed by|was stopped by|has closed|sent gauges"
"""What a process does, or what happens to it, that no machine is the cause of."""
BY_EITHER = {CONTROLLER: "was killed by SIGKILL", NAT: "was killed by SIGKILL|does not listen|did not accept"}
"""What either may be the cause of."""


class Cause(Enum):
    """What is known of the cause why a run broke."""

    SUBMISSION = "submission"
    EITHER = "either"
    UNKNOWN = "unknown"


def cause(kind: str, reason: str) -> Cause:
    """Return what a reason tells of the cause, with a submission of this kind."""
    name = PROCESSES.get(kind)
    if name is None:
        return Cause.UNKNOWN
    if re.match(rf"{name} (?:{BY_EITHER[name]})\b", reason):
        return Cause.EITHER
    return Cause.SUBMISSION if re.match(rf"{name} (?:{BY_ITSELF})\b", reason) else Cause.UNKNOWN
