"""What a machine has to bear for the question whether a NAT holds or is late."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.sandbox import slowness


def test_a_machine_that_is_too_slow_for_a_clients_second_is_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client sends again after a second on any machine. A NAT that drops holds nobody, and is asked."""
    monkeypatch.setattr(slowness, "slowness", lambda: 4.1)
    with pytest.raises(ConfigurationError, match=r"takes 0\.4 s for what .* take a quicker machine"):
        resolve("hold-and-retry", "openflow", Choices(), datapath="userspace")
    resolve("hold-and-retry", "openflow", Choices(sets=["on_exhaustion=drop"]), datapath="userspace")

    monkeypatch.setattr(slowness, "slowness", lambda: 4.0)
    resolve("hold-and-retry", "openflow", Choices(), datapath="userspace")
