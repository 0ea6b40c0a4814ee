"""What a fault of lastport's own ends with."""

from __future__ import annotations

import sys

import pytest

from testbed.command import cli
from testbed.command.executing import FAILED
from testbed.run.exit_status import ExitStatus


@pytest.mark.parametrize(("command", "status"), [("exec", FAILED), ("run", ExitStatus.BROKE)])
def test_a_fault_has_the_status_of_its_command(
    command: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of `exec` all statuses but one are the program's."""

    def break_down(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["lastport", command])
    monkeypatch.setattr(cli, "app", break_down)
    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == status
    assert "ZeroDivisionError" in capsys.readouterr().err
