"""What a scenario's `run` is given: the lab, the settings, and the verbs by which it acts and reports.

    x.phase(...)      name what is being done
    x.check(...)      a claim: what is expected, what was observed, and the source of the expectation
    x.agrees(...)     the gateway's own counter, the second witness
    x.account(...)    what became of the attempts; every scenario must call it
    x.tell(...)       the story, for a reader who sees nothing else

After every scenario more checks follow: no packet leaked, no clients shared an external endpoint, a transfer
arrives byte by byte, counters are in their bounds, and ports come in the order that is declared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from controller.settings import Settings, unknown_key
from testbed.evidence.outcomes import OUTCOMES, outcomes
from testbed.experiment import bounds, port_orders, transfers
from testbed.experiment.counters import AGREES, SOURCES, Counters
from testbed.experiment.expectations import Expectation, met, shown
from testbed.experiment.judgement import Finding, Unseen
from testbed.experiment.lab import Lab
from testbed.experiment.parameters import Parameters
from testbed.experiment.promise import Promise
from testbed.experiment.report import Report
from testbed.experiment.stories import told
from testbed.traffic.records import Attempt

P = TypeVar("P", bound=Parameters)

NUMBER = re.compile(r"(?<![^\W_])\d[\d.,]*")
"""A number at the start of a word, which may end with a unit."""
JUDGED = ("checked", "accounted", "told", "leaks", "sharing", transfers.KEY, bounds.KEY, port_orders.KEY)
"""The keys of the checks that follow every scenario."""


def key_of(claim: str) -> str:
    """Return the key of a check without a `key` of its own: its claim's words, without numbers, with hyphens."""
    return "-".join(re.findall(r"[^\W_]+", NUMBER.sub(" ", claim.lower().replace("'", ""))))


class Experiment(Generic[P]):
    """One run of a scenario: the lab and the settings that it uses, and what it has reported so far."""

    def __init__(
        self, lab: Lab, parameters: P, settings: Settings, report: Report, *, story: str | Path = ""
    ) -> None:
        self.lab = lab
        self.parameters = parameters
        self.settings = settings
        self.behaviour = lab.behaviour
        self.judge = lab.judge
        self._report = report
        self._story = story
        self._keys: set[str] = set()
        self._told = not story
        self._outcomes: Counter[str] | None = None
        self._attempts: list[Attempt] = []
        self._counters: dict[str, int | None] = {}
        self._read: set[str] = set()
        self._unseen: dict[str, str] = {}

    @property
    def protocol(self) -> str:
        """The protocol that the parameters choose, or TCP if they have no `protocol`."""
        return getattr(self.parameters, "protocol", "tcp")

    @cached_property
    def promise(self) -> Promise:
        """What the gateway promises to all clients, for the protocol of the parameters."""
        return self.promise_for(self.protocol)

    def promise_for(self, protocol: str, *, clients: int | None = None) -> Promise:
        """Return what the gateway promises for a protocol, to `clients` subscribers (by default all)."""
        clients = self.parameters.subscribers if clients is None else clients
        return Promise.of(self.behaviour, self.settings, protocol=protocol, clients=clients)

    def counters(self, protocol: str | None = None) -> Counters:
        """Return the gateway's counters as they are now."""
        return self.lab.gateway.counters(protocol or self.protocol)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Name a phase of the run, and time the `with` block that is this phase."""
        return self._report.phase(name)

    def progress(self, done: int, total: int) -> None:
        """Report the progress of the current phase. Most calls cost nothing."""
        self._report.progress(done, total)

    def check(self, claim: str, *, expected: Any, observed: Any, source: str, key: str = "") -> None:
        """Check a claim: `observed` must equal `expected`, or be in its range (`at_most(3)`).

        `source` is where the expectation comes from. Results are compared by `key`, which is by default the claim
        without its numbers. It must be the same on every gateway, so give one if the words of the claim depend on
        what is declared. Raises ValueError if two checks of a run have the same key.
        """
        key = key or key_of(claim)
        if not key:
            raise ValueError(f"the claim {claim!r} has no word to make a key of; give one: key=...")
        if key in JUDGED:
            raise ValueError(f"the key {key!r} is that of a check after every scenario; give another: key=...")
        self._check(claim, key=key, expected=expected, observed=observed, source=source)

    def _check(self, claim: str, *, key: str, expected: Any, observed: Any, source: str) -> None:
        if key in self._keys:
            raise ValueError(f"two checks have the key {key!r}; give one of them another: key=...")
        self._keys.add(key)
        self._report.check(
            key=key,
            claim=claim,
            expected=shown(expected),
            observed=shown(observed),
            ok=met(expected, observed),
            source=source,
        )

    def agrees(
        self,
        what: str,
        expected: Any,
        name: str,
        *others: str,
        of: Counters | Sequence[Counters] | None = None,
        key: str = "",
    ) -> None:
        """Check that the gateway's own counter `name`, or its sum with others, is as expected.

        `of` are counters that were read earlier, by default those of now. If it is a sequence of counters, each is
        compared with its part of the list `expected`. If the gateway does not know `name`, there is no check.
        Raises ValueError for a name that is not in SOURCES.
        """
        names = (name, *others)
        if unknown := [each for each in names if each not in SOURCES]:
            raise ValueError(unknown_key(unknown[0], list(SOURCES), kind="counter"))
        sequence = isinstance(of, Sequence)
        asked = of if isinstance(of, Sequence) else [self.counters() if of is None else of]
        if any(each.get(name) is None for each in asked):
            return
        self._read |= set(names)
        beyond = ""
        if isinstance(expected, Expectation):
            expected, beyond = bounds.bounded(expected, names, self.lab.tally, self.settings)
        sums = [sum(each.get(one) or 0 for one in names) for each in asked]
        self.check(
            f"{AGREES}{what}",
            key=key or f"gateway-{key_of(what)}",
            expected=expected,
            observed=sums if sequence else sums[0],
            source=SOURCES[name] + " and its like" * bool(others) + beyond,
        )

    def account(
        self,
        attempts: Iterable[Attempt] = (),
        echoed: Collection[int] = (),
        *,
        held: Collection[int] = (),
        counters: Counters | None = None,
    ) -> Counter[str]:
        """Count each attempt once, by what became of it in the end, and return the counts.

        `echoed` are the numbers of the attempts that still carried data. `held` are the numbers of those that the
        NAT held, and then let through. A scenario without attempts calls it without arguments. Further calls add
        to the first. `counters` are kept with the results, by default those of now.
        """
        _, leaked = self.judge.leaks()
        shared = self.judge.shared()
        attempts = list(attempts)
        self._attempts += attempts
        self._counters = dict(self.counters() if counters is None else counters)
        counts = outcomes(attempts, shared=shared, echoed=set(echoed), leaked=leaked, held=held)
        self._outcomes = (self._outcomes or Counter()) + counts
        self._report.outcomes({outcome: self._outcomes[outcome] for outcome in OUTCOMES})
        self._report.counters(self._counters)
        return counts

    def series(self, **series: Any) -> None:
        """Keep measurements with the results, as rows by the name of the series."""
        self._report.series(**series)

    def tell(self, **facts: Any) -> None:
        """Report the scenario's story: its template, filled with the facts, the parameters and the settings."""
        self._told = True
        self._report.story(
            told(self._story, **{"parameters": self.parameters, "settings": self.settings, **facts})
        )

    def _find(self, found: Finding | Unseen) -> None:
        """Report what a judge has found, as a check, or keep what it could not look at."""
        if isinstance(found, Finding):
            self._check(
                found.claim,
                key=found.key,
                expected=found.expected,
                observed=found.observed,
                source=found.source,
            )
        else:
            self._unseen[found.key] = found.why

    def conclude(self) -> None:
        """Check what must hold in any run of any scenario. Raises WitnessError if the witnesses missed packets."""
        if not self._keys:
            self._check(
                "the scenario checks something",
                key="checked",
                expected=True,
                observed=False,
                source="write x.check(claim, expected=..., observed=..., source=...) in `run`",
            )
        if self._outcomes is None:
            self._check(
                "the scenario accounts for its attempts",
                key="accounted",
                expected=True,
                observed=False,
                source="end `run` with x.account(attempts, echoed), or with x.account() if it makes no attempts",
            )
        if not self._told:
            self._check(
                "the scenario tells its story",
                key="told",
                expected=True,
                observed=False,
                source="end `run` with x.tell(name=value, ...), for each name in `story`",
            )
        shared = len(self.judge.shared()) if self.judge.sees_sharing else None
        self._find(port_orders.judged(self.lab.sightings(), self._attempts, self.behaviour, self.settings))
        self._find(bounds.judged(self._counters, self.lab.tally, self.settings))
        carried = transfers.carried(self.lab, self.parameters.outside_mtu)
        self._report.series(transfers=[each.row() for each in carried])
        self._find(transfers.judged(carried))
        unread = bounds.unread(self._counters, self._read)
        self._report.series(not_looked_at=self._unseen, counters_not_checked=unread)
        exempt = ", ".join(map(str, self.lab.untranslated))
        self._check(
            f"no packet left untranslated, but to {exempt}" if exempt else "no packet left untranslated",
            key="leaks",
            expected=0,
            observed=self.judge.leaks()[0],
            source="RFC 6888 REQ-11A; counted by the kernels of the outside hosts, and on the uplinks of NATs"
            + ("; RFC 6888 REQ-6, the setting untranslated_destinations" if exempt else ""),
        )
        transfers.require_passing(carried)
        if shared is None:
            return
        self._check(
            "no two clients ever shared an external endpoint toward one destination",
            key="sharing",
            expected=0,
            observed=shared,
            source="RFC 4787 REQ-3, RFC 5382 REQ-7; seen by the servers and on the wire",
        )
        self.judge.require_complete()
