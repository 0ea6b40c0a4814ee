"""The requirements of lab 9: a student's check finds each bug of a NAT, and is silent on one without.

The NAT is on the bench, in this process, and the check behind walls: it sees what goes in and comes out, and the
data sheet. All trials of a submission come in an order that nobody can guess, and the honest ones are among them.
So what a check remembers does not tell it which NAT it has before it.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from controller.nat.model import Endpoint, Protocol
from controller.settings import Settings
from testbed.labs.bugs import BUGS, Bug
from testbed.labs.simulated import Simulated, Went
from testbed.labs.submission import DiedError, Submission
from testbed.labs.trial import KEPT, WrongError
from testbed.labs.variants import Variant

HONEST = 5
"""The honest NATs with the student's numbers, and as many with others."""
MOST_QUESTIONS = 1000
MOST_WAIT_S = 100_000.0
OTHERS = (range(44, 53), range(6, 11), range(150, 400), range(3, 9))
"""The values of other data sheets than the student's: ports, quota and two timers."""
PROTOCOLS = {"udp": Protocol.UDP, "tcp": Protocol.TCP}
NETWORK = ipaddress.ip_network("10.0.0.0/16")
EXTERNAL = ipaddress.ip_address("192.0.2.1")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The data sheet of a NAT."""

    ports: int
    quota: int
    udp_timeout: int
    close_timeout: int

    @classmethod
    def of(cls, variant: Variant) -> Sheet:
        """Return the sheet of a student's numbers."""
        return cls(variant["ports"], variant["quota"], variant["udp-timeout"], variant["close-timeout"])

    @property
    def settings(self) -> Settings:
        """The settings that make it true."""
        return Settings(
            ports=self.ports,
            port_quota=self.quota,
            udp_timeout=self.udp_timeout,
            tcp_trans_close_timeout=self.close_timeout,
            hold_down_timeout=0,
            filtering_type="adf",
            on_exhaustion="icmp",
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What the check is told."""
        return {
            "external_ip": str(EXTERNAL),
            "first_port": 1024,
            "ports": self.ports,
            "quota": self.quota,
            "udp_timeout": self.udp_timeout,
            "close_timeout": self.close_timeout,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check said of one NAT: None for nothing; or why it said nothing that counts."""

    found: str | None
    log: tuple[str, ...]
    died: str = ""


def verdicts(submission: Submission, variant: Variant, seed: int) -> dict[tuple[str, int], Verdict]:
    """Try a check with every NAT: the honest ones, and those with a bug, by requirement and number."""
    rng = random.Random(seed)
    own = Sheet.of(variant)
    trials: list[tuple[tuple[str, int], Bug | None, Sheet]] = [
        *((("silent", number), None, own) for number in range(HONEST)),
        *((("silent-elsewhere", number), None, _other(rng)) for number in range(HONEST)),
        *(
            ((name, number), bug, own if number % 2 == 0 else _other(rng))
            for name, bugs in BUGS.items()
            for number, bug in enumerate(bugs)
        ),
    ]
    rng.shuffle(trials)
    return {name: _tried(submission, bug, sheet, rng.randrange(2**32)) for name, bug, sheet in trials}


def judged(name: str, found: Mapping[tuple[str, int], Verdict]) -> str:
    """Return what was seen where a requirement is met. Raises WrongError."""
    mine = [each for (of, _), each in sorted(found.items()) if of == name]
    for each in mine:
        if each.died:
            raise WrongError(f"the check {each.died}", "None, or what is wrong with the NAT", each.log)
    if name not in BUGS:
        return _silent(mine)
    if loud := [each for (of, _), each in found.items() if of not in BUGS and (each.found or each.died)]:
        what = f"it found something in {len(loud)} of {2 * HONEST} NATs without a bug"
        raise WrongError(f"{what}, so that nothing which it finds counts", "silence there", loud[0].log)
    missed = [number for number, each in enumerate(mine) if each.found is None]
    if missed:
        seen = f"it found {len(mine) - len(missed)} of {len(mine)} NATs with such a bug"
        raise WrongError(seen, f"all {len(mine)}", mine[missed[0]].log)
    return f"it found all {len(mine)} NATs with such a bug"


REQUIREMENTS: dict[str, Callable[[Mapping[tuple[str, int], Verdict]], str]] = {
    name: partial(judged, name) for name in ("silent", "silent-elsewhere", *BUGS)
}
"""By the names in the YAML file."""


def _silent(mine: Sequence[Verdict]) -> str:
    for each in mine:
        if each.found is not None:
            raise WrongError(f"in a NAT without a bug it found: {each.found}", "nothing", each.log)
    return f"it found nothing in {len(mine)} NATs without a bug"


def _other(rng: random.Random) -> Sheet:
    """Return another data sheet."""
    return Sheet(*(rng.choice(values) for values in OTHERS))


def _tried(submission: Submission, bug: Bug | None, sheet: Sheet, seed: int) -> Verdict:
    """Let a check examine one NAT."""
    settings = sheet.settings
    really = Settings(**settings.model_dump(exclude_unset=True) | bug.really(settings)) if bug else settings
    bench = _Bench(Simulated(really.for_nat(), seed))
    try:
        kind, *words = submission.words("check", sheet.facts)
        while kind == "do":
            if len(bench.log) == MOST_QUESTIONS:
                return Verdict(None, bench.last, f"asked more than {MOST_QUESTIONS:,} questions")
            kind, *words = submission.words("went", bench.did(*words))
    except (WrongError, DiedError) as error:
        return Verdict(None, bench.last, str(error))
    if kind == "did" or len(words) != 1:
        return Verdict(None, bench.last, str(words[0]) if words else "answered what is no finding")
    return Verdict(None if words[0] is None else str(words[0]), bench.last)


class _Bench:
    """A NAT on the bench, in the words of a check."""

    def __init__(self, world: Simulated) -> None:
        self._world = world
        self.log: list[str] = []

    @property
    def last(self) -> tuple[str, ...]:
        """The last questions, with their answers."""
        return tuple(self.log[-KEPT:])

    def did(self, name: Any = "", *words: Any) -> str | None:
        """Do what a check asks for, and return what it sees. Raises WrongError for what makes no sense."""
        known: dict[str, Callable[..., str | None]] = {
            "send": self._send,
            "answer": self._answer,
            "close": self._close,
            "wait": self._wait,
        }
        doing = known.get(str(name))
        called = f"{name}({', '.join(map(str, words))})"[:80]
        try:
            if doing is None:
                raise ValueError("there is no such question")
            seen = doing(*words)
        except (ValueError, TypeError) as error:
            raise WrongError(f"called nat.{called}: {str(error)[:80]}", "a question that has an answer") from None
        self.log.append(f"{called} -> {seen}" if seen is not None else called)
        return seen

    def _send(self, source: str, target: str, protocol: str) -> str:
        inside = _inside(source)
        went = self._world.send(inside, _outside(target), _protocol(protocol))
        if went is Went.HELD:
            return Went.NOTHING  # nothing has come yet
        return went.value if isinstance(went, Went) else str(went.external)

    def _answer(self, external: str, sender: str, protocol: str) -> str:
        went = self._world.answer(Endpoint.parse(external), _outside(sender), _protocol(protocol))
        return went.value if isinstance(went, Went) else str(went.internal)

    def _close(self, source: str, target: str) -> None:
        self._world.close(_inside(source), _outside(target))

    def _wait(self, seconds: float) -> None:
        if type(seconds) not in (int, float) or not 0 <= seconds <= MOST_WAIT_S:
            raise ValueError(f"it is 0 to {MOST_WAIT_S:,.0f} seconds")
        self._world.wait(seconds)


def _inside(text: str) -> Endpoint:
    """Return an inside endpoint. Raises ValueError for another one."""
    found = Endpoint.parse(text)
    if ipaddress.ip_address(found.address) not in NETWORK or not 0 < found.port < 65536:
        raise ValueError(f"an inside endpoint is 10.0.0.1:40000, or another of {NETWORK}")
    return found


def _outside(text: str) -> Endpoint:
    """Return an endpoint outside of the NAT. Raises ValueError for another one."""
    found = Endpoint.parse(text)
    if ipaddress.ip_address(found.address) in NETWORK or found.address == int(EXTERNAL):
        raise ValueError("an outside endpoint is 198.51.100.1:7, or any other beyond the NAT")
    return found


def _protocol(name: str) -> Protocol:
    if name not in PROTOCOLS:
        raise ValueError("the protocol is udp or tcp")
    return PROTOCOLS[name]
