"""The page about sizing a NAT: each command can be run as it is printed, and its figures come out again."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import typer

from controller.settings import ConfigurationError
from testbed.command.cli import app
from testbed.compare.comparison import of_profiles, plans
from testbed.plan.erlang import engset, erlang_b
from testbed.run.choices import Choices
from testbed.run.planning import Asked, planned
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "how" / "size-a-nat.md").read_text()
CLOUDS = (ROOT / "docs" / "how" / "profile.md").read_text()
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:sudo )?\./lastport ")
CHEAP = 16, 24, 10.7
"""The row of the table that every test run computes again."""


def commands(page: str) -> list[str]:
    """Return the commands of a page, each without the program."""
    lines = [line for block in BLOCK.findall(page) for line in block.replace("\\\n", " ").splitlines()]
    return [COMMAND.sub("", line, count=1) for line in lines if COMMAND.match(line)]


def given(command: str) -> dict[str, Any]:
    """Return what a command gives. Raises an error of the command line if there is no such option."""
    name, *words = shlex.split(command, comments=True)
    with typer.main.get_group(app).commands[name].make_context(name, words) as context:
        return {"command": name, **context.params}


def plan_of(command: str) -> Asked:
    """Return a plan, checked. Raises ConfigurationError if it could not be carried out."""
    its = given(command)
    choices = Choices(None, its["allocator"], its["profile"], its["config"], its["sets"] or [], its["seed"])
    about = {key: its[key] for key in ("erlangs", "target", "trace")}
    return planned(choices, **about, has_front=its["front"])


def require_possible(command: str) -> None:
    """Raise an error if a command could not run as it is printed, as far as that is seen beforehand."""
    its = given(command)
    if its["command"] == "plan":
        plan_of(command)
    elif its["command"] in ("run", "compare") and its.get("scenario") and not its["config"]:
        choices = Choices(its["topology"], its["allocator"], its["profile"], None, its["sets"] or [])
        if its.get("profiles"):
            of_profiles(choices, [its["scenario"]], "openflow", its["profiles"].split(","))
        else:
            plans(choices, [its["scenario"]], [its.get("gateway") or "openflow"])


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("command", [*commands(PAGE), *commands(CLOUDS)])
def test_a_command_of_the_pages_can_be_run(command: str) -> None:
    """Its options, settings, parameters and files are there and go together."""
    require_possible(command)


@pytest.mark.parametrize(
    "command",
    [
        "plan --set subscribrs=4",
        "plan --erlangs 12 --set sources=12",
        "plan --trace docs/examples/traces/gone.log",
        "run port-exhaustion --set prots=8",
        "compare churn --profiles gcp-cloud-nat",
    ],
)
def test_a_command_that_cannot_run_is_found(command: str) -> None:
    """An unknown key, an impossible load, a file that is not there, a profile alone that is refused."""
    with pytest.raises(ConfigurationError):
        require_possible(command)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table beside the formulas; shares are of 1."""

    model: str
    ports: int
    sources: int | None
    erlangs: float
    simulated: float
    low: float
    high: float
    formula: float

    @property
    def point(self) -> tuple[int, int | None, float]:
        """What is computed in it."""
        return self.ports, self.sources, self.erlangs


def _number(text: str) -> float:
    return float(text.replace(",", "").removesuffix("%"))


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of the table."""
    section = PAGE.partition("## Beside the formulas")[2].partition("\n## ")[0]
    found = []
    for line in section.splitlines():
        if line.startswith(("| Erlang B |", "| Engset |")):
            model, ports, sources, erlangs, simulated, interval, formula = line.strip("| ").split(" | ")[:7]
            low, _, high = interval.partition(" to ")
            shares = [_number(each) / 100 for each in (simulated, low, high, formula)]
            of = int(sources) if sources.isdecimal() else None
            found.append(Row(model, int(_number(ports)), of, _number(erlangs), *shares))
    return tuple(found)


def test_the_table_has_three_sizes_and_loads_of_both_formulas() -> None:
    """About 1, 5 and 20 % are refused."""
    for model in ("Erlang B", "Engset"):
        points = {(each.ports, round(each.formula, 2)) for each in rows() if each.model == model}
        assert len({ports for ports, _ in points}) == 3
        assert points == {(ports, share) for ports, _ in points for share in (0.01, 0.05, 0.2)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.model} {row.ports} {row.erlangs:g}")
def test_a_row_has_what_its_formula_gives(row: Row) -> None:
    """To the last digit."""
    of_row = engset(row.erlangs, row.ports, row.sources) if row.sources else erlang_b(row.erlangs, row.ports)

    assert round(of_row, 4) == pytest.approx(row.formula)


def test_no_more_formulas_are_beyond_their_intervals_than_chance_would_have() -> None:
    """Each interval misses one time in twenty, so that of 18 more than three do in one table of a hundred."""
    beyond = [row for row in rows() if not row.low <= row.formula <= row.high]

    assert len(rows()) == 18
    assert len(beyond) <= 3


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=[] if row.point == CHEAP else pytest.mark.deep) for row in rows()],
    ids=lambda row: f"{row.model} {row.ports} {row.erlangs:g}",
)
def test_a_row_comes_out_again(row: Row) -> None:
    """With the command's own seed."""
    sources = "" if row.sources is None else f" --set sources={row.sources}"
    found = plan_of(f"plan --erlangs {row.erlangs:g} --set ports={row.ports}{sources}").carried_out()

    shares = (found["refused_share"], *found["interval"])
    assert [round(each, 4) for each in shares] == pytest.approx([row.simulated, row.low, row.high])


DEEP = pytest.mark.deep
TRACE = "plan --trace docs/examples/traces/conn.log"
TO_ONE = "plan --erlangs 90 --set ports=64 --set external_addresses=2 --set subscribers=1"
GREEDY = "plan --set subscribers=4 --set light=0 --set heavy=0.25 --set ports=2048"
OF_200 = "plan --set subscribers=200 --set heavy=0 --set ports=5500"
OF_60 = "plan --set subscribers=60 --set heavy=0 --set ports=3000 --profile overlap"
SHARED = "plan --set heavy=0 --set subscribers=150"
ANSWERS = (
    (f"{TRACE} --profile gcp-cloud-nat --set hold_down_fin_timeout=120", "", "9 %"),
    (f"{TRACE} --profile gcp-cloud-nat", "", "none"),
    (GREEDY, "typical", "34 %"),
    (GREEDY, "heavy", "54 %"),
    (f"{GREEDY} --set port_quota=1024", "typical", "none"),
    (f"{GREEDY} --set port_quota=1024", "heavy", "77 %"),
    pytest.param("plan --erlangs 3000 --set ports=512", "", "83 %", marks=DEEP),
    pytest.param("plan --erlangs 3000 --set ports=4096", "", "none", marks=DEEP),
    pytest.param(TO_ONE, "", "31 %", marks=DEEP),
    pytest.param(f"{TO_ONE} --set address_allocation_type=arbitrary", "", "none", marks=DEEP),
    pytest.param("plan --erlangs 5700 --set ports=5500 --profile overlap", "", "3.9 %", marks=DEEP),
    pytest.param(f"{OF_200} --profile overlap", "", "27 %", marks=DEEP),
    pytest.param(OF_200, "", "75 %", marks=DEEP),
    pytest.param(OF_60, "", "19 %", marks=DEEP),
    pytest.param(f"{OF_60} --set port_overlapping=off", "", "42 %", marks=DEEP),
    pytest.param("plan --erlangs 63.6 --set ports=64", "", "9 %", marks=DEEP),
    pytest.param(f"{SHARED} --set block_of_each=400", "typical", "0.15 %", marks=DEEP),
    pytest.param(SHARED, "", "none", marks=DEEP),
)
"""A command of the page, the class of subscribers or all, and the share of the attempts that is refused."""


@cache
def carried_out(command: str) -> dict[str, Any]:
    """Return the results of a plan."""
    return plan_of(command).carried_out()


@pytest.mark.parametrize(("command", "of", "share"), ANSWERS)
def test_an_answer_of_the_page_comes_out_again(command: str, of: str, share: str) -> None:
    """The command is there as it is printed, and the share of its attempts that is refused."""
    found = carried_out(command)
    refused = next((each for each in found["classes"] if each["name"] == of), found)["refused_share"]

    assert command in [" ".join(each.split()) for each in commands(PAGE)]
    assert share in PAGE
    assert share == (f"{100 * refused:.2g} %" if refused else "none")
