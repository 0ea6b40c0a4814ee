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
    """`python docs/generate.py` makes the pages anew."""
    assert (DOCS / name).read_text() == generate.pages()[name]
