"""What is drawn of series, by their shape, and how."""

from __future__ import annotations

import re
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.registry import ours
from testbed.report.charts import MOST_POINTS, WIDTH, Axes, Bar, Line, bars, decimated, lines
from testbed.report.figures import figures, phases, tables
from testbed.report.network import drawing
from testbed.report.png import png
from testbed.report.svg import Scale, ticks
from tests.support.reports import Page
from topologies.picture import picture

numbers = st.floats(-1e29, 1e29)
SERIES: dict[str, tuple[Any, list[str]]] = {
    "signals": (
        [
            {"program": "ping", "seconds": None, "error": None},
            {"program": "TCP", "seconds": 3.1, "error": "ETIMEDOUT"},
        ],
        ["Time until the client knew", "ping: never", "TCP: 3.1 (ETIMEDOUT)"],
    ),
    "port_back": (
        [{"ending": "udp", "seconds": [4.5, 4.6]}],
        ["Time until a port was given again", "udp: 4.5 to 4.6"],
    ),
    "hold_and_retry": (
        {
            "hold": {"served": 4, "mean_wait_s": 0.2, "longest_wait_s": 0.4},
            "drop": {"mean_wait_s": 1, "longest_wait_s": 2},
        },
        ["Mean wait (s)", "hold: 0.2, 0.4; drop: 1, 2"],
    ),
    "churn": (
        [{"load": x, "refused_share": x / 4, "predicted_share": 0.1} for x in (0.7, 1.0, 1.5)],
        [
            "Refused, measured",
            "Refused, predicted" if False else "predicted",
            "load, as a share" if False else "Load",
        ],
    ),
    "loss_curve": (
        [{"utilisation": 0.5, "attempts": 4, "refused": 1}, {"utilisation": 1.0, "attempts": 4, "refused": 4}],
        ["Attempts refused, by how full the NAT is", "Share of the ports that are taken"],
    ),
    "fairness": (
        [{"client": "alice", "asked": 4, "served": 2, "share": 0.5}],
        ["Asked", "Served", "alice: 4, 2"],
    ),
    "my_own": ([{"who": "x", "tries": 3, "seconds": 1.0}, {"who": "y", "tries": 1}], ["My own", "x: 3; y: 1"]),
    "my_curve": ([{"t": 0, "taken": 1}, {"t": 1, "taken": 5}], ["My curve"]),
}


@pytest.mark.parametrize("name", SERIES)
def test_a_series_is_drawn_by_its_shape(name: str) -> None:
    """Those of the catalogue with words of their own, and a student's as well."""
    series, wanted = SERIES[name]

    (drawn,) = figures({name: series}, "f")

    text = Page.of(f"<p>{drawn.title}</p>{drawn.picture}").text
    assert [words for words in wanted if words not in text] == []


def test_a_prediction_is_a_dashed_line_of_the_same_figure() -> None:
    """It is no figure of its own."""
    rows = SERIES["loss_curve"][0]

    (drawn,) = figures({"loss_curve": rows, "predicted_loss_curve": rows}, "f")

    assert "Refused, measured" in drawn.picture
    assert "Refused, predicted" in drawn.picture
    assert len(re.findall(r'class="s1 model"', drawn.picture)) == 2  # in the legend as well


def test_the_phases_are_a_figure_by_themselves() -> None:
    """They are of the run, and not of its question."""
    told = {"phases": [{"phase": "fill", "seconds": 1.0}], "served": [{"client": "alice", "established": 3}]}

    assert [drawn.title for drawn in figures(told, "f")] == ["What each client got"]
    drawn = phases(told, "p")
    assert drawn is not None
    assert "fill: 1" in drawn.picture


@pytest.mark.parametrize(
    "series",
    [3, "x", None, [], [1], [{}], [{"a": None}], [{"a": {}}], {"a": 1}, [{"a": "x"}], [[1, 2]], [{"a": True}]],
)
def test_another_shape_is_no_figure_but_a_table(series: Any) -> None:
    """Nothing fails."""
    assert list(figures({"x": series}, "f")) == []
    assert len(list(tables({"x": series}, most_rows=9, most_tables=9, width=99))) == 1


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=50), numbers)
def test_lines_of_any_numbers_stay_within_the_picture(points: list[tuple[float, float]], limit: float) -> None:
    """Also where all are the same, or immensely different."""
    drawn = lines(
        "k", "t", "d", [Line("a", sorted(points)), Line("b", points[:1], steps=True)], Axes("x", "y", limit=limit)
    )

    height = float(re.search(r'viewBox="0 0 \S+ (\S+)"', drawn)[1])  # type: ignore[index]
    for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", drawn):
        assert -1 <= float(x) <= WIDTH + 1
        assert -1 <= float(y) <= height + 1
    assert "nan" not in drawn


@given(st.lists(st.lists(numbers, max_size=3), min_size=1, max_size=9))
def test_bars_of_any_numbers_stay_within_the_picture(values: list[list[float]]) -> None:
    """One without a value says so."""
    drawn = bars("k", "t", "d", [Bar("row", [each or None]) for each in values], ["s"])

    for x, width in re.findall(r'<rect x="([^"]+)" y="[^"]+" width="([^"]+)"', drawn):
        assert 0 <= float(x) <= float(x) + float(width) <= WIDTH
    assert drawn.count(">none<") == values.count([])


@given(st.integers(1, 9000))
def test_a_long_line_keeps_its_peaks(length: int) -> None:
    """And its ends, and no more points than a page has room for."""
    points = [(float(x), float(x * 7919 % 1009)) for x in range(length)]

    kept = decimated(points)

    assert len(kept) <= MOST_POINTS
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    for extreme in (min, max):
        assert extreme(kept, key=lambda point: point[1])[1] == extreme(points, key=lambda point: point[1])[1]


@pytest.mark.parametrize(
    ("low", "high", "round_numbers"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 256, [0, 100, 200, 300]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-5, 17, [-5, 0, 5, 10, 15, 20]),
    ],
)
def test_an_axis_has_round_numbers(low: float, high: float, round_numbers: list[float]) -> None:
    """Six at most, with both ends within."""
    assert ticks(low, high) == round_numbers
    assert Scale(0, 10, 100, 0)(2.5) == 75


# Maps


def test_a_picture_of_the_ports_is_read_again_as_it_was() -> None:
    """By what the format of PNG says: chunks with checksums, and lines of four bits a pixel."""
    pixels = bytes([0, 1, 2, 3, 4, 0, 1, 2, 3])

    data = png(pixels, 3, [(1, 2, 3)] * 5)

    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + content)
        chunks[kind], at = content, at + 12 + size
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (3, 3, 4, 3, 0, 0, 0)
    assert zlib.decompress(chunks[b"IDAT"]) == bytes([0, 0x01, 0x20, 0, 0x34, 0x00, 0, 0x12, 0x30])


# The network


@pytest.mark.parametrize("name", ours("topology"))
def test_the_picture_of_a_network_has_every_place_in_it_and_no_two_at_one_spot(name: str) -> None:
    """Clients at the left, servers at the right."""
    network = picture(ours("topology")[name](), ["192.0.2.1"]).model_dump(mode="json")

    drawn = drawing(network, "net")

    assert drawn is not None
    assert all(line in drawn for place in network["places"] for line in place["lines"])
    cards = [
        (float(x), float(y), float(x) + float(width), float(y) + float(height))
        for x, y, width, height in re.findall(
            r'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)" class="card (?!clients)', drawn
        )
    ]
    assert len(cards) == sum(place["kind"] != "clients" for place in network["places"])
    for number, (left, top, right, bottom) in enumerate(cards):
        for x1, y1, x2, y2 in cards[number + 1 :]:
            assert right <= x1 or x2 <= left or bottom <= y1 or y2 <= top
    servers = [card[0] for card, place in zip(cards, network["places"], strict=False) if place["kind"] == "server"]
    assert all(x >= max(card[0] for card in cards) - 150 for x in servers)


def test_a_network_that_is_too_large_to_draw_is_not_drawn() -> None:
    """The page then has it in words."""
    places = [{"name": f"n{number}", "kind": "host", "lines": []} for number in range(1000)]

    assert drawing({"places": places, "links": []}, "net") is None
    assert drawing({"places": [], "links": []}, "net") is None
