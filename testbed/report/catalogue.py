"""What the report draws of the series that scenarios of the catalogue have, by the names of the series.

Any other series is drawn by its shape (`figures.py`), so a scenario of one's own needs no line here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """Which columns of a series are drawn, under which title, and what the figure is about.

    A column `a/b` is a quotient. `axis` is the column of the x axis; without it, each row is a bar. `words` is a
    column with words that stand behind a bar. `none` is what an empty value means.
    """

    title: str
    columns: tuple[str, ...]
    text: str = ""
    axis: str = ""
    axis_title: str = ""
    words: str = ""
    none: str = "none"


FIGURES = {
    "signals": Choice(
        "Time until the client knew",
        ("seconds",),
        "Seconds from the attempt to what the program was told, and what that was.",
        words="error",
        none="never",
    ),
    "refusals": Choice(
        "Time until the client knew",
        ("seconds",),
        "Seconds from the attempt to its refusal, by who refused it, and what the client was told.",
        words="told",
        none="never",
    ),
    "port_back": Choice(
        "Time until a port was given again",
        ("seconds",),
        "Seconds from the end of a connection until another client got its port, by the way of ending.",
        none="never",
    ),
    "served": Choice("What each client got", ("established",), "Connections that were established."),
    "fairness": Choice(
        "What each host asked for, and what it got", ("asked", "served"), "Connections of each host."
    ),
    "protocols": Choice(
        "Ports of each protocol", ("attempts", "established"), "Each protocol has numbers of its own."
    ),
    "hold_and_retry": Choice(
        "Waiting for a port",
        ("mean_wait_s", "longest_wait_s"),
        "Seconds from a client's first packet to its answer, where the NAT holds packets and where it drops them.",
    ),
    "churn": Choice(
        "Attempts refused, by load",
        ("refused_share", "predicted_share"),
        "The share of attempts that were refused, measured and predicted. Load 1 is what the ports can bear: "
        "their number over the time for which each is occupied.",
        axis="load",
        axis_title="load, as a share of the capacity",
    ),
    "loss_curve": Choice(
        "Attempts refused, by how full the NAT is",
        ("refused/attempts",),
        "The share of attempts that were refused while a given share of the ports was taken, measured, and as the "
        "model predicts.",
        axis="utilisation",
        axis_title="share of the ports that are taken",
    ),
}
"""What is drawn, by the name of a series."""
PREDICTED = "predicted_"
"""A series of this prefix is a model of the series without it, and so is a column."""
ELSEWHERE = (
    "phases",
    "not_looked_at",
    "counters_not_checked",
    "peak_memory_kib",
    "capture",
    "transfers",
    "frames",
    "until_known",
    "pair",
)
"""Series that every run may have, which the page shows at places of their own."""
