"""The controller's file: what the topology saves, the controller loads."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.settings import Settings
from controller.wiring import ControllerConfiguration, Interface, Side


def test_a_controllers_configuration_survives_its_file(tmp_path: Path) -> None:
    """What the topology saves, the controller loads."""
    configuration = ControllerConfiguration(
        settings=Settings(
            ports=5, external_addresses=[ipaddress.IPv4Address("192.0.2.7")], port_overlapping="off"
        ),
        interfaces=[Interface(port=1, side=Side.INSIDE, address=ipaddress.IPv4Interface("10.0.255.254/16"))],
        mac="02:00:0a:00:ff:fe",
        seed=3,
    )
    configuration.save(tmp_path / "controller.yaml")

    assert ControllerConfiguration.load(tmp_path / "controller.yaml") == configuration


def test_a_file_that_was_not_written_for_a_controller_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed."""
    (tmp_path / "controller.yaml").write_text("settings: {}\n")

    with pytest.raises(ValidationError):
        ControllerConfiguration.load(tmp_path / "controller.yaml")
