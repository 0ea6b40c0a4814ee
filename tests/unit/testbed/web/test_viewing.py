"""`lastport view`: which recordings it finds, and what it makes of results that anybody may have written."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.command.options import RunOptions
from testbed.web.about import about
from testbed.web.viewing import shelved
from tests.support.made_recordings import write
from tests.support.webserver import get, served


def test_two_folders_are_two_recordings(tmp_path: Path) -> None:
    """They are named by what ran, and the second is another one even if it is the same."""
    (tmp_path / "one").mkdir()
    results = {"scenario": "release", "gateway": "netfilter", "chosen": {"ports": 16}}
    (tmp_path / "one" / "results.json").write_text(json.dumps(results))
    shelf = shelved([write(tmp_path / "one"), write(tmp_path / "two"), tmp_path / "two"])

    titles = [source.title for source in shelf.sources.values()]
    assert titles == ["release on netfilter (ports=16)", *["port-exhaustion on openflow"] * 2]


@pytest.mark.parametrize("depth", ["openflow", "release/openflow"])
def test_the_folder_of_a_comparison_has_the_recordings_of_its_runs(tmp_path: Path, depth: str) -> None:
    """With one scenario, or with several, and in the order in which they ran."""
    first = write(tmp_path / depth, gateway="openflow", started="2026-01-01T00:00:00+00:00")
    write(first.parent / "netfilter", gateway="netfilter", started="2026-01-01T00:00:07+00:00")
    (first / "report.html").write_text("")
    (tmp_path / "compare.json").write_text("{}")

    openflow, netfilter = shelved([tmp_path]).sources.values()
    assert openflow.title == "port-exhaustion on openflow"
    assert netfilter.title == "port-exhaustion on netfilter"
    assert openflow.about["report"] == str(first / "report.html")
    assert "report" not in netfilter.about


def test_a_folder_that_is_no_comparison_is_not_searched(tmp_path: Path) -> None:
    """What lies below it may be anybody's, and of runs that have nothing to do with one another."""
    write(tmp_path / "one")
    write(tmp_path / "deep" / "two")

    with pytest.raises(ConfigurationError, match=r"/recording.gz: there is no recording; `lastport run SCENARIO`"):
        shelved([tmp_path])


def test_recordings_that_are_too_many_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page does not have all of them, and nobody takes it for that."""
    monkeypatch.setattr("testbed.web.viewing.MOST_RECORDINGS", 2)
    (tmp_path / "compare.json").write_text("{}")
    for name in ("one", "two"):
        write(tmp_path / name)
    assert len(shelved([tmp_path]).sources) == 2
    assert capsys.readouterr().err == ""
    write(tmp_path / "three")

    assert len(shelved([tmp_path]).sources) == 2
    assert capsys.readouterr().err == f"lastport: {tmp_path} has 3 recordings; the page shows the first 2\n"


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    """The message says how to make one."""
    with pytest.raises(ConfigurationError, match=r"/recording.gz: there is no recording; `lastport run SCENARIO`"):
        shelved([tmp_path])
    (tmp_path / "report.html").write_text("of a bench")
    with pytest.raises(ConfigurationError, match=r"there is no recording; the results are in /.*/report.html$"):
        shelved([tmp_path])
    with pytest.raises(ConfigurationError, match="nowhere: there is no such folder"):
        shelved([tmp_path / "nowhere"])


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    """Before anything is served."""
    (tmp_path / "recording.gz").write_bytes(b"no gzip")

    with pytest.raises(ConfigurationError, match="cannot read it as a recording"):
        shelved([tmp_path])


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "7", '"x"', "{", "[" * 9999, '{"chosen": 7, "settings": [], "parameters": 1}'),
        *(
            '{"settings": {"ports": NaN}}',
            '{"settings": {"ports": 1e999}}',
            '{"settings": {"\\ud800": "\\ud800"}}',
        ),
    ],
)
def test_results_that_make_no_sense_cost_what_they_would_tell(tmp_path: Path, text: str) -> None:
    """The recording is shown all the same."""
    (write(tmp_path) / "results.json").write_text(text)
    shelf = shelved([tmp_path])

    (key,) = shelf.sources
    with served(shelf) as listener:
        assert set(json.loads(get(listener, f"recordings/{key}/about"), parse_constant=pytest.fail)) >= {
            "settings"
        }


def test_results_behind_a_link_are_not_shown(tmp_path: Path) -> None:
    """It may lead to what only this user may read."""
    (tmp_path / "private.json").write_text('{"scenario": "private"}')
    (write(tmp_path / "one") / "results.json").symlink_to(tmp_path / "private.json")

    assert [source.title for source in shelved([tmp_path / "one"]).sources.values()] == [
        "port-exhaustion on openflow"
    ]


def test_a_run_s_network_has_names_and_addresses() -> None:
    """Those of the topology itself, and the gateways with their external addresses."""
    told = about(
        {"topology": "two-homes", "parameters": {"clients": 2, "outside_mtu": 1500}, "gateway": "openflow"}
    )

    assert told["hosts"]["10.1.0.1"] == "alice"
    assert [each["name"] for each in told["gateways"]] == ["gateway-a", "gateway-b"]
    assert "rendezvous" in told["drawing"]


@pytest.mark.parametrize(
    "odd",
    [
        *({"topology": name} for name in ("/etc/passwd", "os:system", "x.py:X", 7, None, "home")),
        *({"topology": "home", "parameters": {"clients": clients}} for clients in (0, -1, 10**9, "8", None, 8)),
    ],
)
def test_nothing_that_results_name_is_imported_or_built_beyond_measure(odd: dict[str, Any]) -> None:
    """Only the topologies of this project, of a size that takes no time."""
    assert "hosts" not in about(odd)


@pytest.mark.parametrize("given", [{"web": True}, {"web_port": 0}, {"web_address": "127.0.0.1"}])
def test_any_of_the_options_asks_for_the_page(given: dict[str, Any]) -> None:
    """A port or an address without `--web` would else do nothing."""
    assert not isinstance(RunOptions(**given).watching(), nullcontext)
    assert isinstance(RunOptions().watching(), nullcontext)
