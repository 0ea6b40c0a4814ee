"""The settings of a NAT: everything about one setting is here.

`keys` declares each setting by itself. That is all that a new setting needs: it is then listed, checked,
described, and refused by every gateway that does not follow it. `settings` has what contradicts each other, and
translates settings for the NAT's core. `values` has the types of values, `biting` the marks of limits and timers,
and `profiles` bundles settings under a name. `checking` words what is wrong. `extensions` finds a class of one's
own by `FILE.py:Class`, `contracts` finds what it lacks, and `strategies` tries it. `declared` stands in for
one that must not be executed.
"""

from __future__ import annotations

from controller.settings.biting import Bites
from controller.settings.checking import ConfigurationError, checked, unknown_key
from controller.settings.keys import MARKS
from controller.settings.ports import FIRST_PORT, MOST_PORTS
from controller.settings.settings import PORT_REST_S, PROFILES, Settings
from controller.settings.values import static_mapping

__all__ = [
    "FIRST_PORT",
    "MARKS",
    "MOST_PORTS",
    "PORT_REST_S",
    "PROFILES",
    "Bites",
    "ConfigurationError",
    "Settings",
    "checked",
    "static_mapping",
    "unknown_key",
]
