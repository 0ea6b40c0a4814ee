"""Text at any width: columns where there is room, one below the other where there is none, and nothing lost."""

from __future__ import annotations

import pytest

from testbed.command.layout import Entry, docstring, entries, paragraph

EXPLAINED = "a host that has an address of its own and no other one"
DOCSTRING = """What it is.

Set-up        clients behind the gateway, and
              one server
Action        open connections

- One item of a list, which is
  longer than a line is wide.
- Another.

    ./lastport run mine.py
"""


def plain(lines: object) -> list[str]:
    """Return lines without their styles."""
    return [line.plain for line in lines]  # type: ignore[attr-defined] # lines of Rich's text


def test_names_and_texts_stand_side_by_side_where_there_is_room() -> None:
    """A text that goes on begins where it began."""
    rows = [Entry("host", EXPLAINED, "8 hosts"), Entry("gateway", "a NAT")]

    assert plain(entries(rows, 60)) == [
        "host     8 hosts  a host that has an address of its own and",
        "                  no other one",
        "gateway           a NAT",
    ]


def test_texts_stand_below_their_names_where_there_is_no_room() -> None:
    """As wide as the terminal then."""
    rows = [Entry("host", EXPLAINED, "8 hosts"), Entry("gateway", "a NAT")]

    assert plain(entries(rows, 40, indent=2)) == [
        "  host  8 hosts",
        "      a host that has an address of its",
        "      own and no other one",
        "  gateway",
        "      a NAT",
    ]


def test_short_texts_stand_side_by_side_at_any_width() -> None:
    """There is no reason to part them."""
    assert plain(entries([Entry("ports", "256"), Entry("port_set_size", "32")], 40)) == [
        "ports          256",
        "port_set_size  32",
    ]


def test_a_value_that_is_too_long_goes_below_as_well() -> None:
    """It is wrapped as a text is."""
    assert plain(entries([Entry("port_back", "its source", "close: 240 s, reset: 240 s, udp: 300 s")], 40)) == [
        "port_back",
        "    close: 240 s, reset: 240 s, udp: 300",
        "    s",
        "    its source",
    ]


def test_nothing_to_print_is_no_line() -> None:
    """As a list of labs in a copy without `docs`."""
    assert plain(entries([], 40)) == []


def test_a_docstring_is_wrapped_anew() -> None:
    """Paragraphs, terms, items with their own indentation, and a command."""
    assert plain(docstring(DOCSTRING, 52)) == [
        "What it is.",
        "",
        "Set-up  clients behind the gateway, and one server",
        "Action  open connections",
        "",
        "- One item of a list, which is longer than a line is",
        "  wide.",
        "- Another.",
        "",
        "  ./lastport run mine.py",
    ]


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_word_that_is_too_long_is_parted_and_not_cut(width: int) -> None:
    """Such as the path of a file."""
    path = "controller/nat/strategies/allocators/linux_like.py"

    lines = plain(paragraph(path, width))

    assert "".join(lines) == path
    assert all(len(line) <= width for line in lines)
