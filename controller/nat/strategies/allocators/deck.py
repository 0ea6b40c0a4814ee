"""A deck of ports: draw one at random, take a given one, put one back. O(1) each, and so is a new deck.

The free ports are a shuffled deck, from which one is drawn at a random place. The last card fills the gap, so that
every free card stays equally likely (a Fisher-Yates shuffle that never ends). To find a given card, the deck also
notes each card's place. The note of a card that is out is not kept up to date: a card is in the deck only if it is
at the place in its note (Briggs and Torczon, "An efficient representation for sparse sets", 1993).

A new deck stores nothing: until something is written, card `n` is at place `n`. At first only changes are stored,
in dictionaries. Once arrays are smaller, they take 4 bytes for each port. A deck that is whole again forgets its
order.
"""

from __future__ import annotations

import random
from array import array

from controller.nat.port_set import Ports

UNSHUFFLED = array("H", range(1 << 16))
"""Card `n` at place `n`. Copied where a deck needs arrays, which is a hundred times quicker than counting up."""

PORTS_PER_CHANGE = 16
"""A change takes about 70 bytes. With more than one change for this number of ports, arrays are smaller."""


class _Changes(dict[int, int]):
    """An array in which place `n` holds `n` unless something else was written."""

    __slots__ = ()

    def __missing__(self, place: int) -> int:
        return place


class Deck:
    """The free ones of some ports, in no order. A card is a port's place among all of them."""

    __slots__ = ("_cards", "_left", "_places", "_ports", "_random", "_room", "_size")

    def __init__(self, ports: Ports, rng: random.Random) -> None:
        self._ports = ports
        self._size = len(ports)
        self._random = rng.random
        self._left = len(ports)
        self._forget_order()

    def __len__(self) -> int:
        return self._left

    def draw(self) -> int | None:
        """Take out a port, each with equal probability, or return None if the deck is empty."""
        left = self._left
        return self._ports[self._take_out(int(self._random() * left))] if left else None

    def take(self, port: int) -> bool:
        """Take out this port, and return whether it was in the deck."""
        if port not in self._ports:
            return False
        card = self._ports.index(port)
        place = self._places[card]
        if place >= self._left or self._cards[place] != card:
            return False
        self._take_out(place)
        return True

    def put_back(self, port: int) -> None:
        """Put in a port that was taken out."""
        self._write(self._left, self._ports.index(port))
        self._left += 1
        if self._left == self._size:
            self._forget_order()

    def _take_out(self, place: int) -> int:
        """Take out the card at a place, into which the last one moves."""
        self._left = left = self._left - 1
        cards = self._cards
        card = cards[place]
        if place != left:
            self._write(place, cards[left])
        return card

    def _write(self, place: int, card: int) -> None:
        cards, places = self._cards, self._places
        cards[place], places[card] = card, place
        if len(cards) + len(places) > self._room:
            self._use_arrays()

    def _forget_order(self) -> None:
        self._cards: _Changes | array[int] = _Changes()
        self._places: _Changes | array[int] = _Changes()
        self._room = self._size // PORTS_PER_CHANGE

    def _use_arrays(self) -> None:
        self._cards, self._places = self._as_array(self._cards), self._as_array(self._places)
        self._room = 2 * self._size

    def _as_array(self, changes: _Changes | array[int]) -> array[int]:
        if isinstance(changes, array):
            return changes
        places = UNSHUFFLED[: self._size]
        for place, value in changes.items():
            places[place] = value
        return places
