"""The account of what programs have cost a NAT, made from a recording."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from testbed.exec.account import Account, accounts, sentences
from tests.support import made_recordings


def test_an_account_has_what_a_recording_shows(tmp_path: Path) -> None:
    """8 ports are filled, 3 packets refused, all closed, and 8 filled again."""
    (found,) = accounts(made_recordings.write(tmp_path, ports=8, refused=3)).values()

    assert (found.mappings, found.most) == (16, 8)
    assert found.refused == {"its external address has no free port": 3}
    assert len(found.still_open) == 8
    assert "tcp 192.0.2.1:1024 of 10.0.0." in found.still_open[0]


def test_there_is_no_account_without_a_recording(tmp_path: Path) -> None:
    """A full disk costs the account, and nothing else."""
    assert accounts(tmp_path) == {}


def test_an_account_is_told_in_sentences() -> None:
    """Each NAT has its name if there are several."""
    one = Account(1, 1, Counter({"it is full": 1200}), ["tcp a:1 of b"])

    assert list(sentences({"gateway": one})) == [
        "1 mapping made, at most 1 at once, 1 still open: tcp a:1 of b",
        "1,200 packets refused: 1,200 since it is full",
    ]
    assert list(sentences({"gateway-a": Account(), "gateway-b": Account(None, None)})) == [
        "gateway-a: 0 mappings made, at most 0 at once, none still open",
        "gateway-b: this NAT does not show its mappings",
    ]


def test_few_open_mappings_are_named() -> None:
    """The others are in the results."""
    (sentence,) = sentences({"gateway": Account(4, 4, still_open=["a", "b", "c", "d"])})

    assert sentence.endswith("4 still open: a, b, c and 1 more")
