"""The picture of a network: clients at the left, servers at the right, and what is between them in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from testbed.report import svg
from testbed.report.words import cut

MOST_PLACES, MOST_LINES = 60, 6
MOST_LINKS = 120
LETTERS = 42
WIDEST = 240.0
COLUMN_GAP, ROW_GAP, PADDING = 56.0, 18.0, 10.0
HEADS = {
    "clients": "clients",
    "nat": "NAT",
    "server": "server",
    "router": "router",
    "switch": "switch",
    "host": "host",
}
STACK = 5.0
"""By how many pixels each card of a stack is moved."""


@dataclass(slots=True)
class _Card:
    name: str
    kind: str
    head: str
    lines: list[str]
    column: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        return min(max(map(svg.width_of, [self.head, *self.lines])) + 2 * PADDING, WIDEST * 1.4)

    @property
    def height(self) -> float:
        return svg.LINE * (1 + len(self.lines)) + 1.4 * PADDING


def drawing(network: Mapping[str, Any], key: str) -> Markup | None:
    """Return the picture of a network; None if there is nothing to draw, or too much."""
    cards = {place["name"]: _card(place) for place in network["places"][:MOST_PLACES]}
    links = [(a, b) for a, b in network["links"][:MOST_LINKS] if a in cards and b in cards and a != b]
    if not cards or len(network["places"]) > MOST_PLACES:
        return None
    _place_in_columns(cards, links)
    columns = [[card for card in cards.values() if card.column == number] for number in range(_last(cards) + 1)]
    columns = [column for column in columns if column]
    width, height = _lay_out(columns, cards, links)
    parts = [_link(cards[a], cards[b]) for a, b in links]
    parts += [part for card in cards.values() for part in _drawn(card)]
    return svg.picture(key, "The network", describe(network), parts, width=width, height=height)


def describe(network: Mapping[str, Any]) -> str:
    """Return the network in words: each place with its addresses, and what is linked."""
    places = [
        f"{cut(place['name'], LETTERS)} ({', '.join(_lines(place))})" for place in network["places"][:MOST_PLACES]
    ]
    links = [f"{cut(a, LETTERS)} to {cut(b, LETTERS)}" for a, b in network["links"][:MOST_LINKS]]
    return f"Places: {'; '.join(places)}. Links: {'; '.join(links)}."


def _card(place: Mapping[str, Any]) -> _Card:
    kind = place["kind"] if place["kind"] in HEADS else "host"
    count, name = place.get("count", 1), cut(place["name"], LETTERS)
    if kind == "clients":
        head = f"{count:,} client{'s' * (count != 1)}"
    else:
        head = name if HEADS[kind] in name else f"{name} ({HEADS[kind]})"
    return _Card(
        place["name"],
        kind,
        cut(head, LETTERS),
        [cut(each, LETTERS) for each in place.get("lines", [])[:MOST_LINES]],
    )


def _lines(place: Mapping[str, Any]) -> list[str]:
    return [cut(each, LETTERS) for each in place.get("lines", [])[:MOST_LINES]]


def _last(cards: Mapping[str, _Card]) -> int:
    return max(card.column for card in cards.values())


def _place_in_columns(cards: Mapping[str, _Card], links: Sequence[tuple[str, str]]) -> None:
    """Give each place the column of its distance from the servers; clients are at the left, and servers right."""
    neighbours: dict[str, list[str]] = {name: [] for name in cards}
    for one, other in links:
        neighbours[one].append(other)
        neighbours[other].append(one)
    distance = {name: 0 for name, card in cards.items() if card.kind == "server"}
    reached = [*distance]
    for name in reached:
        for other in neighbours[name]:
            if other not in distance:
                distance[other] = distance[name] + 1
                reached.append(other)
    most = max(distance.values(), default=0)
    for name, card in cards.items():
        card.column = 0 if card.kind == "clients" else most - distance.get(name, most)


def _lay_out(
    columns: Sequence[Sequence[_Card]], cards: Mapping[str, _Card], links: Sequence[tuple[str, str]]
) -> tuple[float, float]:
    """Give each card its coordinates, and return width and height of the picture."""
    heights = [sum(card.height for card in column) + ROW_GAP * (len(column) - 1) for column in columns]
    most, x = max(heights), 4.0
    for number, column in enumerate(columns):
        wide = max(card.width for card in column)
        ordered = sorted(column, key=lambda card: _middle(card, columns[number - 1], links)) if number else column
        spare = (most - heights[number]) / (len(column) + 1)
        y = 4.0
        for card in ordered:
            y += spare
            card.x, card.y = x + (wide - card.width) / 2, y
            y += card.height + ROW_GAP
        x += wide + COLUMN_GAP
    return x - COLUMN_GAP + 4 + 2 * STACK, most + 8 + 2 * STACK


def _middle(card: _Card, before: Sequence[_Card], links: Sequence[tuple[str, str]]) -> float:
    """Return the mean height of a card's neighbours in the column before it."""
    found = [
        other.y + other.height / 2
        for other in before
        if (card.name, other.name) in links or (other.name, card.name) in links
    ]
    return sum(found) / len(found) if found else 0.0


def _link(one: _Card, other: _Card) -> Markup:
    left, right = sorted((one, other), key=lambda card: card.x)
    start, end = left.x + left.width, right.x
    y1, y2 = left.y + left.height / 2, right.y + right.height / 2
    middle = (start + end) / 2
    points = f"M{svg.coordinate(start)} {svg.coordinate(y1)}C{svg.coordinate(middle)} {svg.coordinate(y1)} "
    points += f"{svg.coordinate(middle)} {svg.coordinate(y2)} {svg.coordinate(end)} {svg.coordinate(y2)}"
    return svg.element("path", d=points, class_="link")


def _drawn(card: _Card) -> list[Markup]:
    moved = [2 * STACK, STACK, 0.0] if card.kind == "clients" else [0.0]
    parts = [
        svg.rectangle(card.x + by, card.y + by, card.width, card.height, f"card {card.kind}", radius=6)
        for by in moved
    ]
    x, y = card.x + PADDING, card.y + PADDING / 2 + svg.LINE - 4
    parts.append(svg.text(x, y, card.head, style="head"))
    parts += [svg.text(x, y + svg.LINE * (number + 1), words) for number, words in enumerate(card.lines)]
    return parts
