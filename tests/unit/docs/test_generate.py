"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import importlib.util

import pytest

from tests.support.paths import ROOT

DOCS = ROOT / "docs"
_spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", generate.pages())
def test_a_generated_page_is_up_to_date(name: str) -> None:
    """`vagrant/python docs/generate.py` makes the pages and the launcher's help anew."""
    assert (DOCS / name).read_text() == generate.pages()[name]


def test_a_default_that_is_made_from_the_settings_is_not_shown_as_null() -> None:
    """Null is shown where it is a value that a user may give."""
    derived = {"default": None, "type": "number"}
    unlimited = {"default": None, "type": "number or null"}

    assert generate.default_of(derived) == "from the settings"
    assert generate.default_of(unlimited) == "`null`"


def test_a_value_is_shown_as_a_user_types_it() -> None:
    """As after `--set KEY=`, in YAML."""
    assert [generate.written(each) for each in ("tcp", 2.0, None, True, ["tcp", "udp"])] == [
        "tcp",
        "2.0",
        "null",
        "true",
        "[tcp, udp]",
    ]


def test_a_text_with_a_bar_fits_into_a_cell() -> None:
    """Else the row would have a cell too many."""
    assert generate.cell("drop | icmp") == "drop \\| icmp"
