"""A plan on the terminal: what is refused, beside the formulas, by class, and what holds the ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

ON_THE_WIRE = {
    "erlangs": ("erlangs", "formula"),
    "subscribers": ("subscribers", "simulation at this size and pace"),
    "trace": ("trace", "simulation at this pace"),
}
"""What the rows of points on the wire begin with: the load, and the figure from which the wire differs."""
LEAST_SHARE = 1e-6
"""A share below this is none that anybody will see."""


def conclude(console: Console, plan: Mapping[str, Any], folder: str) -> None:
    """Print the answer, its tables, and where the rest is."""
    console.print(Text(answer(plan)))
    if plan["assumed"]:
        console.print(Text(f"- {assumed(plan)}", style="dim"))
    for sentence in plan["differences"]:
        console.print(Text(f"- {sentence}", style="dim"))
    for title, heads, rows in tables(plan):
        table = Table(title=title, title_justify="left", box=SIMPLE)
        for place, head in enumerate(heads):
            table.add_column(head, justify="left" if not place else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(Text(f"PLAN  {plan['duration_s']:.1f} s; results in {folder}"), soft_wrap=True)


def answer(plan: Mapping[str, Any]) -> str:
    """Return what is refused, in a sentence."""
    low, high = plan["interval"]
    refused = f"{share(plan['refused_share'])} of {plan['offered']:,} attempts are refused"
    if plan["workload"] == "trace":  # nothing was drawn
        return f"{refused}."
    return f"{refused} (with 95 % certainty {share(low)} to {share(high)})."


def _on_the_wire(row: Mapping[str, Any]) -> Iterator[str]:
    yield next((f"{row[key]:,.1f}" for key in ("erlangs", "subscribers") if key in row), "all of it")
    if not row["beside"]:
        yield from ("", "", row["verdict"], "", "")
        return
    formula, core, wire = row["beside"][-3:]
    low, high = wire["interval"]
    yield from (share(each["refused_share"]) for each in (formula, core, wire))
    yield f"{share(low)} to {share(high)}"
    yield f"{100 * row['difference']:+.2f} %"


def assumed(plan: Mapping[str, Any]) -> str:
    """Return the settings that are guesses, in a sentence."""
    return f"The vendor does not publish what profile {plan['profile']} assumes: {', '.join(plan['assumed'])}."


def tables(plan: Mapping[str, Any]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield each table: its title, the heads of its columns, and its rows."""
    yield (
        "Beside the formulas",
        ["model", "erlangs", "ports", "refused"],
        [
            ["simulation of the NAT", "", "", share(plan["refused_share"])],
            *(
                [each["model"], f"{each['erlangs']:,.1f}", f"{each['ports']:,}", share(each["refused_share"])]
                for each in plan["theory"]
            ),
        ],
    )
    if plan.get("checked"):
        yield (
            "On the wire",
            [
                *ON_THE_WIRE[plan["workload"]],
                "the same attempts in the core",
                "wire",
                "95 % interval",
                "difference",
            ],
            [[*_on_the_wire(row)] for row in plan["checked"]],
        )
    if len(plan["classes"]) > 1:
        yield "By class of subscribers", ["class", "offered", "refused", "share"], _rows(plan["classes"])
    if len(plan["destinations"]) > 1:
        yield "By destination", ["destination", "offered", "refused", "share"], _rows(plan["destinations"][:8])
    if needed := plan.get("needed"):
        yield (
            f"Tried, to refuse at most {share(needed['target'])}",
            ["ports of an address", "addresses", "refused"],
            [
                [f"{each['ports']:,}", f"{each['addresses']:,}", share(each["refused_share"])]
                for each in needed["tried"]
            ],
        )
    if front := [each for each in plan.get("front", []) if each["is_on_front"]]:
        yield (
            "What no other choice is better than in everything",
            ["ports are given", "addresses", "refused", "log lines a day"],
            [
                [
                    f"in blocks of {each['block']:,}" if each["block"] else "one by one",
                    f"{each['addresses']:,}",
                    share(each["refused_share"]),
                    f"{each['log_lines_a_day']:,}",
                ]
                for each in front
            ],
        )
    if log := plan.get("log"):
        yield (
            "The log of a day, by its kind",
            ["log", "lines", "bytes"],
            [[name, f"{each['lines']:,}", f"{each['bytes']:,}"] for name, each in log.items() if each],
        )
    if plan.get("timers"):
        yield (
            "The price of each timer: ports that nobody can have because of it, on average",
            ["timer", "seconds", "ports"],
            [[each["name"], f"{each['seconds']:g}", f"{each['ports']:,.0f}"] for each in plan["timers"]],
        )


def _rows(rows: Any) -> list[list[str]]:
    return [
        [each["name"], f"{each['offered']:,}", f"{each['refused']:,}", share(each["refused_share"])]
        for each in rows
    ]


def share(value: float) -> str:
    """Return a share in percent, with three digits that mean something."""
    return f"{100 * value:.3g} %" if value >= LEAST_SHARE or not value else f"less than {100 * LEAST_SHARE:.4f} %"
