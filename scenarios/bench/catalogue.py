"""The benches. To add one: one file in `benchmarks/`, and one line here."""

from __future__ import annotations

from benchmarks.setup import Setup
from scenarios.bench.base import Bench

BENCHES: dict[str, type[Bench]] = {bench.name: bench for bench in (Setup,)}
"""By the names that `lastport bench` takes."""
