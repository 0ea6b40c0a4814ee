"""What a person sees of any NAT's table: rows of the programs' own listings, and the part that is selected."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.registry import FOREIGN, GATEWAYS, found
from tests.support.paths import ROOT
from topologies.gateways.base import Gateway, GatewayError
from topologies.gateways.by_hand import Row, Selection, Table
from topologies.gateways.netfilter import conntrack
from topologies.gateways.ovs_ct.gateway import tracked_rows

LINUX = """\
tcp      6 7439 ESTABLISHED src=10.0.0.1 dst=198.51.100.1 sport=1354 dport=7007 src=198.51.100.1 dst=192.0.2.1 \
sport=7007 dport=1049 [ASSURED] mark=0 use=1
udp      17 28 src=10.0.0.2 dst=198.51.100.1 sport=20006 dport=7008 [UNREPLIED] src=198.51.100.1 dst=192.0.2.1 \
sport=7008 dport=1059 mark=0 use=1
icmp     1 59 src=10.0.0.1 dst=198.51.100.1 type=8 code=0 id=29062 src=198.51.100.1 dst=192.0.2.1 type=0 code=0 \
id=1082 mark=0 use=1
"""
OVS = """\
tcp,orig=(src=10.0.0.1,dst=198.51.100.1,sport=1406,dport=7007),reply=(src=198.51.100.1,dst=192.0.2.1,sport=7007,\
dport=1083),zone=1,protoinfo=(state=ESTABLISHED)
udp,orig=(src=10.0.0.2,dst=198.51.100.1,sport=19224,dport=7008),reply=(src=198.51.100.1,dst=192.0.2.1,sport=7008,\
dport=1047),zone=1
icmp,orig=(src=10.0.0.1,dst=198.51.100.1,id=14435,type=8,code=0),reply=(src=198.51.100.1,dst=192.0.2.1,id=14436,\
type=0,code=0),zone=1
"""


def test_a_line_of_conntrack_is_a_row() -> None:
    """Its second tuple is the answers', whose destination is the external endpoint."""
    assert [*conntrack.rows(LINUX)] == [
        Row("tcp", "10.0.0.1:1354", "192.0.2.1:1049", "198.51.100.1:7007", "ESTABLISHED", "ends in 7439 s"),
        Row("udp", "10.0.0.2:20006", "192.0.2.1:1059", "198.51.100.1:7008", "unanswered", "ends in 28 s"),
        Row("icmp", "10.0.0.1:29062", "192.0.2.1:1082", "198.51.100.1", "", "ends in 59 s"),
    ]


def test_conntrack_finds_a_row_again_by_its_first_tuple() -> None:
    """For a query of ICMP that is the identifier inside."""
    assert [conntrack.key(row) for row in conntrack.rows(LINUX)] == [
        "-p tcp -s 10.0.0.1 -d 198.51.100.1 --sport 1354 --dport 7007",
        "-p udp -s 10.0.0.2 -d 198.51.100.1 --sport 20006 --dport 7008",
        "-p icmp -s 10.0.0.1 -d 198.51.100.1 --icmp-id 29062",
    ]


def test_a_line_of_open_vswitch_is_a_row_and_a_tuple_by_which_it_finds_the_connection() -> None:
    """It prints no timers."""
    assert [*tracked_rows(OVS)] == [
        (
            Row("tcp", "10.0.0.1:1406", "192.0.2.1:1083", "198.51.100.1:7007", "ESTABLISHED"),
            "ct_nw_src=10.0.0.1,ct_nw_dst=198.51.100.1,ct_nw_proto=6,ct_tp_src=1406,ct_tp_dst=7007",
        ),
        (
            Row("udp", "10.0.0.2:19224", "192.0.2.1:1047", "198.51.100.1:7008"),
            "ct_nw_src=10.0.0.2,ct_nw_dst=198.51.100.1,ct_nw_proto=17,ct_tp_src=19224,ct_tp_dst=7008",
        ),
        (
            Row("icmp", "10.0.0.1:14435", "192.0.2.1:14436", "198.51.100.1"),
            "ct_nw_src=10.0.0.1,ct_nw_dst=198.51.100.1,ct_nw_proto=1,icmp_id=14435,icmp_type=8,icmp_code=0",
        ),
    ]


@pytest.mark.parametrize(
    ("selection", "external"),
    [
        (Selection(), ["1049", "1059", "1082"]),
        (Selection(inside=["10.0.0.1"]), ["1049", "1082"]),
        (Selection(external="192.0.2.1:1059"), ["1059"]),
        (Selection(protocol="tcp", external="192.0.2.1:1059"), []),
    ],
    ids=["all", "a host's", "an endpoint's", "an endpoint's of another protocol"],
)
def test_a_selection_has_the_rows_that_were_asked_for(selection: Selection, external: list[str]) -> None:
    """The total is that of the selected rows, of which a few are shown."""
    table = Table.of([*conntrack.rows(LINUX)], selection, 2)

    assert [row.external.partition(":")[2] for row in table.rows] == external[:2]
    assert table.total == len(external)


class Unknown(Gateway):
    """A NAT that says nothing about itself."""

    @classmethod
    def declare(cls, settings: Any, options: Any) -> Any:
        """Declare nothing."""


@pytest.mark.parametrize("word", ["table", "release", "change"])
def test_a_gateway_without_an_answer_says_so_in_a_sentence(word: str) -> None:
    """A program that keeps its table to itself is no error of the person at the prompt."""
    arguments: dict[str, tuple[Any, ...]] = {
        "table": (Selection(), 5),
        "release": (Selection(),),
        "change": (None,),
    }

    with pytest.raises(GatewayError, match=r"it keeps|nobody but itself|it reads its settings once"):
        getattr(Unknown(), word)(*arguments[word])


def told(name: str) -> dict[str, str]:
    """Return the column of a gateway in the table of docs/how/shell.md, by words."""
    lines = (ROOT / "docs/how/shell.md").read_text().splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    head = next(row for row in rows if row[:2] == ["word", "openflow"])
    assert {*head[1:]} == {*GATEWAYS, *FOREIGN}
    return {row[0]: row[head.index(name)] for row in rows if len(row) == len(head)}


@pytest.mark.parametrize("name", [*GATEWAYS, *FOREIGN])
def test_each_gateway_of_ours_has_all_words_and_somebody_else_s_has_none(name: str) -> None:
    """The table in docs/how/shell.md says the same."""
    cls = found({**GATEWAYS, **FOREIGN}[name])
    words = ("table", "release", "change", "refusals")
    own = {word for word in words if getattr(cls, word) is not getattr(Gateway, word)}

    assert own == (set(words) if name in GATEWAYS else set())
    cells = {"nat mappings": "table", "nat release": "release", "nat set": "change"}
    assert {cell for cell in cells if told(name)[cell] == "no"} == {
        cell for cell, word in cells.items() if word not in own
    }
