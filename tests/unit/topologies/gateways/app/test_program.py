"""What the log of an app tells: its exceptions, and what the switch has refused."""

from __future__ import annotations

from topologies.gateways.app.program import refusals
from topologies.gateways.strangers import exceptions

PRINTED = """loading app nat
Nat: Exception occurred during handler processing. Backtrace from offending handler follows.
Traceback (most recent call last):
  File "/somewhere/app_manager.py", line 290, in _event_loop
    handler(ev)
  File "/run/lastport/gateway/app/nat.py", line 61, in translate
    port = self.ports.pop(self.index)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
IndexError: pop index out of range
new flow 10.0.0.1
the switch refused a message, OFPT_FLOW_MOD(14): OFPBMC_BAD_PREREQ(9)
hub: uncaught exception: Traceback (most recent call last):
  File "/run/lastport/gateway/app/nat.py", line 40, in expire
    for key in self.table:
RuntimeError: dictionary changed size during iteration
"""


def test_each_traceback_is_an_exception_with_the_place_that_raised_it() -> None:
    """In a handler, and in a thread that ends by it."""
    assert exceptions(PRINTED) == [
        "IndexError: pop index out of range (nat.py:61)",
        "RuntimeError: dictionary changed size during iteration (nat.py:40)",
    ]


def test_what_the_switch_refuses_is_found_among_the_rest() -> None:
    """The framework itself keeps it to itself."""
    assert refusals(PRINTED) == ["OFPT_FLOW_MOD(14): OFPBMC_BAD_PREREQ(9)"]


def test_an_app_that_prints_nothing_has_raised_nothing() -> None:
    """Nor one whose traceback is cut off."""
    assert exceptions("") == exceptions("Traceback (most recent call last):\n  File") == refusals("") == []
