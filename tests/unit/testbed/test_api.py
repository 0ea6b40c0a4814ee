"""The public names of the testbed are one list."""

from __future__ import annotations

from testbed import api


def test_all_that_the_module_has_is_in_its_list() -> None:
    """A name that is imported and not listed is an accident."""
    public = {name for name, value in vars(api).items() if not name.startswith("_") and name != "annotations"}

    assert public == set(api.__all__)
    assert api.__all__ == sorted(api.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
