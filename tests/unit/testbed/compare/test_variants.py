"""What a kind of NAT can be, by what it declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import Settings
from testbed.compare.variants import variants
from testbed.registry import GATEWAYS, load

RFC_4787 = [f"{mapping}/{filtering}" for mapping in ("eim", "adm", "edm") for filtering in ("eif", "adf", "edf")]


@pytest.mark.parametrize(
    ("gateway", "names"),
    [("openflow", RFC_4787), ("netfilter", ["eim/edf", "edm/edf"]), ("ovs-ct", ["edm/edf"])],
)
def test_a_kind_is_every_pair_of_behaviours_that_it_declares(gateway: str, names: list[str]) -> None:
    """Ours is all of RFC 4787's; Linux's mapping follows from how it takes ports."""
    assert [each.name for each in variants(gateway)] == names


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_what_is_chosen_for_a_variant_leads_to_it(gateway: str) -> None:
    """By what the kind declares under these settings."""
    kind = load("gateway", gateway)
    for each in variants(gateway):
        declared = kind.declare(Settings.model_validate({**kind.settings, **each.chosen}), kind.Options())
        assert (declared.mapping.value, declared.filtering.value) == (each.mapping, each.filtering)


def test_what_a_kind_refuses_is_none_of_its_variants(tmp_path: Path) -> None:
    """Such as one that filters in two ways only."""
    (tmp_path / "strict.py").write_text(
        "from topologies.gateways.base import Restriction\n"
        "from topologies.gateways.openflow.gateway import OpenFlowGateway\n"
        "class Strict(OpenFlowGateway):\n"
        "    restrictions = (Restriction('filtering_type', ('adf', 'edf'), 'it is strict'),)\n"
    )

    names = [each.name for each in variants(f"{tmp_path / 'strict.py'}:Strict")]

    assert names == [name for name in RFC_4787 if not name.endswith("eif")]
