"""Names of runs: in a sentence, and of folders that every filesystem can have."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.run.choices import Choices
from testbed.run.naming import candidates, label, printable, title
from testbed.run.resolve import resolve

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = STARTED.astimezone().strftime("%Y%m%d-%H%M%S")
WINDOWS_REFUSES = re.compile(r'[\x00-\x1f<>:"/\\|?*]|[. ]$')


def folder(chosen: dict[str, Any], *names: str) -> str:
    """Return the first name of a folder, without its time."""
    path = next(candidates(STARTED, names or ("port-exhaustion", "openflow"), chosen))
    assert path.parent == Path("runs")
    return path.name.removeprefix(f"{STAMP}-")


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({}, "port-exhaustion-openflow"),
        ({"topology": "campus"}, "port-exhaustion-openflow-campus"),
        ({"topology": "/home/me/my_net.py:Mine"}, "port-exhaustion-openflow-my_net"),
        ({"profile": "cgn", "seed": 2}, "port-exhaustion-openflow-cgn-seed=2"),
        (
            {"topology": "campus", "ports": 1024, "on_exhaustion": "icmp"},
            "port-exhaustion-openflow-campus-ports=1024-on_exhaustion=icmp",
        ),
        (
            {"port_quota": None, "refresh_inbound": True},
            "port-exhaustion-openflow-port_quota=null-refresh_inbound=true",
        ),
        (
            {"external_addresses": ["192.0.2.1", "192.0.2.2"]},
            "port-exhaustion-openflow-external_addresses=192.0.2.1,192.0.2.2",
        ),
        ({"on_exhaustion": "/home/me/lru.py:Mine"}, "port-exhaustion-openflow-on_exhaustion=lru_Mine"),
        ({"odd": 'a<b>c:d"e/f\\g|h?i*j\x1bk.'}, "port-exhaustion-openflow-odd=a_b_c_d_e_f_g_h_i_j_k"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_folder_is_named_by_what_was_chosen(chosen: dict[str, Any], named: str) -> None:
    """What a filesystem, such as Windows's, may refuse is not in it."""
    assert folder(chosen) == named


@pytest.mark.parametrize("count", [1, 5, 30, 150])
@pytest.mark.parametrize("length", [1, 300])
@pytest.mark.parametrize("sign", ["x", "ß", "港", "?", "\udcff"])
def test_no_name_of_a_folder_is_too_long(count: int, length: int, sign: str) -> None:
    """The number of the choices for which there is no room stands at the end."""
    named = next(
        candidates(
            STARTED,
            [f"{sign * 200}.py", f"/x/{sign * 200}.py:Y"],
            {f"key{i}": sign * length for i in range(count)},
        )
    ).name

    assert len(f"{named}-999".encode()) <= 120
    assert not WINDOWS_REFUSES.search(named)
    if count >= 30 or (length == 300 and sign.isalpha()):
        assert re.search(r"-and-\d+-more$", named)


def test_the_next_folder_of_the_same_second_has_a_number() -> None:
    """So no two runs share a folder."""
    paths = candidates(STARTED, ["s", "g"], {"ports": 8})

    assert [next(paths).name for _ in range(3)] == [f"{STAMP}-s-g-ports=8{end}" for end in ("", "-2", "-3")]


def test_the_sentence_names_what_was_chosen() -> None:
    """Classes in files are named without the files' folders."""
    chosen = {"topology": "campus", "profile": "cgn", "seed": 2, "ports": 1024, "on_exhaustion": "/x/lru.py:Mine"}

    assert title("port-exhaustion", "openflow", {}) == "port-exhaustion on openflow"
    assert title("/x/a.py:B", "/y/nat.py", chosen) == (
        "a:B on nat (topology campus, profile cgn, seed 2, ports=1024, on_exhaustion=lru:Mine)"
    )


@pytest.mark.parametrize(
    ("choices", "chosen"),
    [
        (Choices(), {}),
        (Choices(sets=["ports=256", "clients=8", "on_exhaustion=drop"], topology="home", seed=1), {}),
        (Choices(sets=["ports=1024"]), {"ports": 1024}),
        (Choices(sets=["on_exhaustion=icmp", "attempts=40"]), {"on_exhaustion": "icmp", "attempts": 40}),
        (Choices(allocator="sequential"), {"port_allocation_type": "sequential"}),
        (Choices(topology="campus", profile="cgn", seed=2), {"topology": "campus", "profile": "cgn", "seed": 2}),
        (Choices(profile="cgn", sets=["icmp_code=1"]), {"profile": "cgn"}),
    ],
    ids=[
        "nothing",
        "the defaults",
        "a setting",
        "a setting and a parameter",
        "allocator",
        "all else",
        "the profile's",
    ],
)
def test_what_was_chosen_is_what_differs_from_the_defaults(choices: Choices, chosen: dict[str, Any]) -> None:
    """A value that follows from another is not chosen, nor is one that is set to what it would be anyway."""
    assert resolve("port-exhaustion", "openflow", choices, datapath="userspace").chosen == chosen


def test_what_was_chosen_is_known_where_nothing_else_is_possible() -> None:
    """A scenario that a gateway can run only with this setting has no defaults to compare with."""
    choices = Choices(sets=["flow_limit=null", "on_exhaustion=drop"])

    run = resolve("eviction", "openflow", Choices(sets=["on_exhaustion=evict-lru"]), datapath="userspace")
    assert run.chosen == {}
    assert resolve("port-exhaustion", "netfilter", choices, datapath="userspace").chosen == {}


def test_a_student_s_class_has_a_short_name() -> None:
    """A path is no part of a name."""
    assert [label(name) for name in ("openflow", "/home/me/nat.py:Mine", "/x/nat.py")] == [
        "openflow",
        "nat:Mine",
        "nat",
    ]


def test_a_hostile_name_is_harmless_on_a_terminal() -> None:
    """An escape sequence could move the cursor, or more."""
    assert printable("a\x1b[31mb\x07\u202ec") == "a?[31mb??c"
