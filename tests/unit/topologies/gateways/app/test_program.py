"""What an app finds in its folder, and what its log tells: its exceptions, and what the switch has refused."""

from __future__ import annotations

from pathlib import Path

from topologies.gateways.app import program
from topologies.gateways.app.program import MOST_COPIED, refusals
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


LIBRARY = """Traceback (most recent call last):
  File "/home/me/venv/lib/python3.11/site-packages/ryu/base/app_manager.py", line 290, in _event_loop
    handler(ev)
  File "/run/lastport/gateway/app/nat.py", line 61, in translate
    parser.OFPMatch(1)
  File "/usr/lib/python3/dist-packages/ryu/__init__.py", line 352, in method
TypeError: takes 1 positional argument
Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 1, in _load
  File "/usr/lib/python3.11/json/decoder.py", line 9, in decode
ValueError: no JSON
"""


def test_an_exception_stands_at_the_program_s_own_line_and_not_at_the_library_s() -> None:
    """Unless there is none of its own."""
    assert exceptions(LIBRARY) == [
        "TypeError: takes 1 positional argument (nat.py:61)",
        "ValueError: no JSON (decoder.py:9)",
    ]


def test_what_lies_beside_an_app_is_copied_so_that_it_may_write_to_it(tmp_path: Path) -> None:
    """Its author's own files stay as they are. Of two with one name, the one that is there counts."""
    folder, beside = tmp_path / "folder", tmp_path / "beside"
    for each in (folder, beside, beside / "pages"):
        each.mkdir()
    for name in ("nat.py", "nat.log", "wiring.json"):
        (beside / name).write_text("theirs")
    (beside / "nat.log").chmod(0o444)
    with (beside / "large").open("w") as large:
        large.truncate(MOST_COPIED + 1)
    (folder / "wiring.json").write_text("ours")

    program._put_into(folder, [beside / "nat.py"])
    (folder / "nat.log").open("a").write(" and more")

    assert [(folder / name).read_text() for name in ("nat.py", "nat.log", "wiring.json")] == [
        "theirs",
        "theirs and more",
        "ours",
    ]
    assert (folder / "nat.log").stat().st_mode & 0o777 == 0o644
    assert sorted(each.name for each in folder.iterdir() if each.is_symlink()) == ["large", "pages"]
    assert {(beside / name).read_text() for name in ("nat.py", "nat.log", "wiring.json")} == {"theirs"}


def test_no_more_is_copied_than_memory_has_room_for(tmp_path: Path) -> None:
    """The rest is linked."""
    folder, beside = tmp_path / "folder", tmp_path / "beside"
    folder.mkdir()
    beside.mkdir()
    for number in range(20):
        with (beside / f"{number:02}").open("w") as file:
            file.truncate(MOST_COPIED)

    program._put_into(folder, [beside / "00"])

    assert sum(each.is_symlink() for each in folder.iterdir()) == 4
