"""The topology multi-address: external addresses on the gateway's own link."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError, Settings
from topologies.multi_address import MultiAddress


@pytest.mark.parametrize("address", ["192.0.2.254", "192.0.2.0", "192.0.2.255", "198.51.100.1", "10.0.0.1"])
def test_external_addresses_on_a_link_must_be_free_there(address: str) -> None:
    """The next hop would not find the gateway by an address of another host."""
    with pytest.raises(ConfigurationError) as refused:
        MultiAddress(clients=1).check(Settings.model_validate({"external_addresses": [address]}))

    assert f"{address} is" in str(refused.value)
    assert "choose others, such as 192.0.2.1 and up" in str(refused.value)
