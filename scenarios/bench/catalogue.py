"""The benches. To add one: one file in `benchmarks/`, and one line here."""

from __future__ import annotations

from benchmarks.controller import Controller
from benchmarks.evict import Evict
from benchmarks.forward import Forward
from benchmarks.memory import Memory
from benchmarks.release import Release
from benchmarks.rfc9693 import Rfc9693
from benchmarks.setup import Setup
from benchmarks.starting import Start
from scenarios.bench.base import Bench

BENCHES: dict[str, type[Bench]] = {
    bench.name: bench for bench in (Setup, Evict, Controller, Forward, Release, Memory, Start, Rfc9693)
}
"""By the names that `lastport bench` takes."""
