"""The settings of a NAT: everything about one setting is here.

`keys` declares each setting by itself, `settings` says which contradict each other and translates them for the
NAT's core, `values` has the types of values, `profiles` bundles settings under a name, `extensions` finds a
class of one's own by `FILE.py:Class`, and `checking` words what is wrong.
"""

from __future__ import annotations

from controller.settings.checking import ConfigurationError, checked, unknown_key
from controller.settings.settings import PORT_REST_S, PROFILES, Settings
from controller.settings.values import FIRST_PORT, MOST_PORTS

__all__ = [
    "FIRST_PORT",
    "MOST_PORTS",
    "PORT_REST_S",
    "PROFILES",
    "ConfigurationError",
    "Settings",
    "checked",
    "unknown_key",
]
