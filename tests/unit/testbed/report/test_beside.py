"""The reports of a comparison's runs are linked where they are, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.report.beside import reports
from testbed.report.page import comparison_page
from testbed.run.folder import REPORT
from tests.support.reports import Page, a_run


def made(folder: Path) -> str:
    """Make a report in a folder, and return its path."""
    folder.mkdir(parents=True)
    (folder / REPORT).write_text("")
    return str(folder / REPORT)


def test_a_comparison_leads_to_the_report_of_each_run(tmp_path: Path) -> None:
    """Also where there is a folder for each scenario, and after all was moved elsewhere."""
    made(tmp_path / "openflow")
    made(tmp_path / "churn" / "my gateway")
    runs = [
        a_run(files={"report": f"before/openflow/{REPORT}"}),
        a_run(scenario="churn", gateway="mine", files={"report": f"/elsewhere/churn/my gateway/{REPORT}"}),
        a_run(scenario="churn", files={"report": f"/elsewhere/churn/openflow-2/{REPORT}"}),
    ]

    text = comparison_page({"schema": 1, "runs": runs, "differences": []}, tmp_path)

    links = [str(link["href"]) for link in Page.of(text).having("a") if not str(link["href"]).startswith("#")]
    assert [link for link in links if "rfc-editor" not in link] == [
        "openflow/report.html",
        "churn/my%20gateway/report.html",
    ]


@pytest.mark.parametrize(
    "named",
    ["../report.html", "openflow/../../up/report.html", "", "report.html", "a" * 9000 + "/report.html", "\0/x"],
)
def test_what_is_not_below_the_folder_is_not_linked(tmp_path: Path, named: str) -> None:
    """Whatever the results claim."""
    made(tmp_path / "up")
    made(tmp_path / "in")
    (tmp_path / REPORT).write_text("")
    run: dict[str, Any] = a_run(files={"report": named})

    assert reports([run, a_run()], tmp_path / "in") == {}
