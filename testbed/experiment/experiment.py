"""What a scenario's `run` is given: the lab, the settings, and the verbs by which it acts and reports.

    x.exec(...)       run a program of your own on a host, and x.start(...) while others go on
    x.phase(...)      name what is being done
    x.check(...)      a claim: what is expected, what was observed, and the source of the expectation
    x.agrees(...)     the gateway's own counter, the second witness
    x.account(...)    what became of the attempts; every scenario must call it
    x.tell(...)       the story, for a reader who sees nothing else

After every scenario more checks follow: no packet leaked, went astray, or came in another's name, no clients
shared an external endpoint, single packets arrived as they were sent (`frames`), a transfer arrived byte by byte,
counters are in their bounds, and ports came in the order that is declared.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from controller.settings import Settings, unknown_key
from testbed.evidence.busy import Failure
from testbed.evidence.outcomes import OUTCOMES, outcomes
from testbed.evidence.until_known import until_known
from testbed.experiment import bounds
from testbed.experiment.concluding import Done, conclude
from testbed.experiment.counters import AGREES, SOURCES, Counters
from testbed.experiment.expectations import Expectation, met, shown
from testbed.experiment.judged import JUDGED
from testbed.experiment.judgement import BEARS_S, Finding, Unseen
from testbed.experiment.lab import Lab
from testbed.experiment.parameters import Parameters
from testbed.experiment.programs import Programs
from testbed.experiment.promise import Promise
from testbed.experiment.report import Report
from testbed.experiment.started import Ended, Started, start
from testbed.experiment.stories import told
from testbed.traffic.records import Attempt

P = TypeVar("P", bound=Parameters)

NUMBER = re.compile(r"(?<![^\W_])\d[\d.,]*")
"""A number at the start of a word, which may end with a unit."""


def key_of(claim: str) -> str:
    """Return the key of a check without a `key` of its own: its claim's words, without numbers, with hyphens."""
    return "-".join(re.findall(r"[^\W_]+", NUMBER.sub(" ", claim.lower().replace("'", ""))))


class Prompt(Protocol):
    """A prompt at which a person may act for a while."""

    @property
    def is_over(self) -> bool:
        """Whether it has been left."""

    def open(self, x: Experiment[Any]) -> None:
        """Let the person act, and return when the prompt is left."""


class UnfinishedError(Exception):
    """The scenario has left out what every scenario must do: the message is what to write."""


class Experiment(Generic[P]):
    """One run of a scenario: the lab and the settings that it uses, and what it has reported so far."""

    def __init__(
        self,
        lab: Lab,
        parameters: P,
        settings: Settings,
        report: Report,
        *,
        story: str | Path = "",
        prompt: Prompt | None = None,
    ) -> None:
        """Begin an experiment. With a `prompt`, it pauses there once."""
        self.lab = lab
        self.parameters = parameters
        self.settings = settings
        self.behaviour = lab.behaviour
        self.judge = lab.judge
        self._report = report
        self._story = story
        self._prompt = prompt
        self._keys: set[str] = set()
        self._told = not story
        self._outcomes: Counter[str] | None = None
        self._accounts: list[tuple[list[Attempt], Callable[..., Counter[str]]]] = []
        self._attempts: list[Attempt] = []
        self._counters: dict[str, int | None] = {}
        self._read: set[str] = set()
        self._late = 0.0
        self.failures: list[Failure] = []
        """The checks that have failed so far."""

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

    def _lacking(self) -> list[str]:
        """Return what the scenario has to do and has not done, with what to write."""
        left_out = {
            "asked nothing: write x.check(claim, expected=..., observed=..., source=...)": not self._keys,
            "accounts for no attempts: end with x.account(attempts, echoed), or x.account()": self._outcomes
            is None,
            "tells no story: end with x.tell(name=value, ...), for each name in `story`": not self._told,
        }
        return [f"the scenario {what}" for what, is_so in left_out.items() if is_so]

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Name a phase of the run, and time the `with` block that is this phase."""
        return self._report.phase(name)

    def pause(self) -> None:
        """Open the prompt, if one is wanted, the first time: the NAT is as full as this scenario makes it."""
        if self._prompt is not None and not self._prompt.is_over:
            began = time.monotonic()
            self._prompt.open(self)
            self.was_late(time.monotonic() - began)  # timers have gone on

    def was_late(self, seconds: float) -> None:
        """Note by how many seconds, if any, the scenario's own doing took longer than its timers allow for."""
        self._late = max(self._late, seconds)

    def progress(self, done: int, total: int) -> None:
        """Report the progress of the current phase. Most calls cost nothing."""
        self._report.progress(done, total)

    def check(
        self,
        claim: str,
        *,
        expected: Any,
        observed: Any,
        source: str,
        key: str = "",
        bears: float | None = BEARS_S,
        late: float = 0.0,
    ) -> None:
        """Check a claim: `observed` must equal `expected`, or be in its range (`at_most(3)`).

        `source` is where the expectation comes from. Results are compared by `key`, which is by default the claim
        without its numbers. It must be the same on every gateway, so give one if the words of the claim depend on
        what is declared. Raises ValueError if two checks of a run have the same key.

        If a check fails while the machine was later than `bears` seconds, the run is an error and no failure. It
        is None for what no lateness can cause. `late` is how late the scenario's own probes were, if it knows.
        """
        key = key or key_of(claim)
        if not key:
            raise ValueError(f"the claim {claim!r} has no word to make a key of; give one: key=...")
        if key in JUDGED:
            raise ValueError(f"the key {key!r} is that of a check after every scenario; give another: key=...")
        self._check(Finding(key, claim, expected, observed, source, bears), late=late)

    def _check(self, found: Finding, *, late: float = 0.0) -> None:
        if found.key in self._keys:
            raise ValueError(f"two checks have the key {found.key!r}; give one of them another: key=...")
        self._keys.add(found.key)
        holds = met(found.expected, found.observed)
        if not holds:
            patience = getattr(self.parameters, "patience", math.inf)
            most = None if found.bears is None else min(found.bears, patience / 2)
            self.failures.append(Failure(found.key, most, max(late, self._late)))
        self._report.check(
            key=found.key,
            claim=found.claim,
            expected=shown(found.expected),
            observed=shown(found.observed),
            ok=holds,
            source=found.source,
        )

    def agrees(
        self,
        what: str,
        expected: Any,
        name: str,
        *others: str,
        of: Counters | Sequence[Counters] | None = None,
        key: str = "",
        bears: float | None = BEARS_S,
        late: float = 0.0,
    ) -> None:
        """Check that the gateway's own counter `name`, or its sum with others, is as expected.

        `of` are counters that were read earlier, by default those of now. If it is a sequence of counters, each is
        compared with its part of the list `expected`. If the gateway does not know `name`, there is no check.
        `bears` and `late` are those of `check`. Raises ValueError for a name that is not in SOURCES.
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
        sums = [sum(each.get(one) or 0 for one in names) for each in asked]
        if isinstance(expected, Expectation):
            expected = expected.lowered(self.lab.links.lost)  # the gateway never got what its links lost
            narrower, beyond = bounds.bounded(expected, names, self.lab.tally, self.settings)
            if not met(narrower, sums[0]):  # else a bound that is measured would differ from run to run
                expected = narrower
        self.check(
            f"{AGREES}{what}",
            key=key or f"gateway-{key_of(what)}",
            expected=expected,
            observed=sums if sequence else sums[0],
            source=SOURCES[name] + " and its like" * bool(others) + beyond,
            bears=bears,
            late=late,
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
        settled, unanswered = list(self.judge.settle(attempts)), self.judge.unanswered()
        count = partial(outcomes, settled, shared=shared, echoed=set(echoed), leaked=leaked, unanswered=unanswered)
        self._accounts.append((settled, count))
        self._attempts += settled
        self._counters = dict(self.counters() if counters is None else counters)
        counts = count(held=held)
        self._outcomes = (self._outcomes or Counter()) + counts
        self._report.outcomes({outcome: self._outcomes[outcome] for outcome in OUTCOMES})
        self._report.counters(self._counters)
        return counts

    def _account_again(self) -> None:
        """Count all attempts once more: the NAT was found to delay packets, so it held each whose SYN was late."""
        counts = sum((count(held=self.judge.held(attempts)) for attempts, count in self._accounts), Counter[str]())
        self._report.outcomes({outcome: counts[outcome] for outcome in OUTCOMES})

    def exec(
        self, host: str, command: Sequence[str], *, input: bytes = b"", timeout: float | None = None
    ) -> Ended:
        """Run a program on a host to its end, and return its status and output. After `timeout` s it is ended."""
        return self.start(host, command, input=input).wait(timeout)

    def start(self, host: str, command: Sequence[str], *, input: bytes = b"") -> Started:
        """Start a program on a host. It ends when its own process does, or with the scenario."""
        self.programs.services.wait()
        return start(self.programs, host, command, input=input)

    def ready(self) -> None:
        """Report that programs may be ordered."""
        self._report.ready()

    def series(self, **series: Any) -> None:
        """Keep measurements with the results, as rows by the name of the series."""
        self._report.series(**series)

    def tell(self, **facts: Any) -> None:
        """Report the scenario's story: its template, filled with the facts, the parameters and the settings."""
        self._told = True
        story = told(self._story, **{"parameters": self.parameters, "settings": self.settings, **facts})
        remarks = dict.fromkeys(filter(None, (gateway.remarks() for gateway in self.lab.gateways.values())))
        self._report.story("\n\n".join([story.rstrip("\n"), *remarks]))

    @cached_property
    def programs(self) -> Programs:
        """Programs of a user's own on the hosts. With the first use, hosts outside begin to offer services."""
        return Programs(self.lab)

    def conclude(self, own: Iterable[Finding | Unseen] | None = None) -> None:
        """Check what must hold in any run of any scenario. Raises WitnessError if the witnesses missed packets.

        Raises UnfinishedError for what the scenario has left out. No NAT is to blame for that. `own` is what is
        found in place of all this, by what is no scenario.
        """
        if own is None and (lacking := self._lacking()):
            raise UnfinishedError("; ".join(lacking))
        done = Done(self.lab, self.settings, self._attempts, self._counters, self._read)
        mtu, unseen = self.parameters.outside_mtu, {}
        usual = conclude(done, self._report, mtu=mtu, recount=self._account_again)
        for found in usual if own is None else own:
            if isinstance(found, Finding):
                self._check(found)
            else:
                unseen[found.key] = found.why
        self.series(not_looked_at=unseen)
        if known := until_known(self._attempts):
            self.series(until_known=known)
