"""Each command of the page about cases of the field can be run as it is printed."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

from controller.settings import ConfigurationError
from testbed.command.running import app
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "how" / "field-cases.md").read_text()
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = "sudo ./lastport "
NEW = {"own-ports", "idle", "reuse", "race", "recovery", "path-mtu", "fragments", "client-rate"}
"""The scenarios that ask what people meet in the field."""


def commands(page: str) -> list[str]:
    """Return the commands of a page, without what it runs them by."""
    lines = [line for block in BLOCK.findall(page) for line in block.replace("\\\n", " ").splitlines()]
    return [line.removeprefix(COMMAND) for line in lines if line.startswith(COMMAND)]


def possible(command: str) -> str:
    """Raise an error if a command could not run, and return the name of its scenario."""
    name, *words = shlex.split(command, comments=True)
    given = typer.main.get_group(app).commands[name].make_context(name, words).params
    gateways = given["gateways"].split(",") if given.get("gateways") else given.get("gateway") or ["openflow"]
    choices = Choices(topology=given["topology"], profile=given["profile"], sets=given["sets"] or [])
    for gateway in gateways:
        resolve(given["scenario"], gateway, choices, datapath="userspace")
    return str(given["scenario"])


@pytest.mark.parametrize("command", commands(PAGE))
def test_a_command_of_the_page_can_be_run(command: str) -> None:
    """Its options, the scenario, the settings and every gateway are there and go together."""
    assert possible(command)


def test_every_new_question_has_a_command() -> None:
    """A scenario that nobody meets is none of the field's."""
    assert NEW - {possible(command) for command in commands(PAGE)} == set()


@pytest.mark.parametrize(
    "command",
    [
        "run races",
        "run reuse --set no_such_setting=1",
        "compare race --gateways openflow,slirp",
    ],
)
def test_a_command_that_cannot_run_is_found(command: str) -> None:
    """An unknown name or setting, and a gateway that refuses the scenario."""
    with pytest.raises(ConfigurationError):
        possible(command)


def test_an_option_that_is_none_is_found() -> None:
    """It is the command line's own error, by its sentence."""
    with pytest.raises(Exception, match="No such option: --gatway"):
        possible("run race --gatway netfilter")
