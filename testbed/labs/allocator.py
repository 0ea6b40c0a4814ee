"""The requirements of lab 2, each tried by calls to a student's allocator, with simulated time and a seed.

Each function here is one requirement and knows nothing of points. It raises WrongError with what it saw, or
returns what it saw if that was right. A requirement is tried so that a mistake in another one does not spoil it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from testbed.labs.submission import Submission
from testbed.labs.trial import Socket, Trial, WrongError, sockets
from testbed.labs.variants import Variant

GAP = 500
"""The ports between two ranges."""
STEPS, BATCH = 400, 16
"""How often ports are given and released in turn, and in how many calls at once."""
GUESSES_RIGHT = 0.1
"""The share of right guesses from which on a port counts as guessed. By chance it is 0.02."""
FIRST_PORTS, MOST_EQUAL = 64, 10
"""How many allocators are asked for their first port, and how many of these ports may be equal."""
SMALL, LARGE = range(1024, 1524), range(1024, 33024)
LEFT = 16
"""The ports that are left free, or taken, while time is measured."""
TIMES_LONGER = 5.0
"""How many times as long a call may take with 64 times as many ports."""
MEASURED, PAIRS = 7, 100


@dataclass(frozen=True, slots=True)
class Tried:
    """What a requirement is tried with: a submission, a student's numbers, and a seed."""

    submission: Submission
    variant: Variant
    seed: int

    def trial(self, *, ranges: list[range] | None = None, more: int = 0) -> Trial:
        """Make an allocator of the student's ports; `more` is added to the seed."""
        first, ports = self.variant["first"], self.variant["ports"]
        return Trial(self.submission, ranges or [range(first, first + ports)], self.seed % 2**64 + more)

    def random(self) -> random.Random:
        """Return a generator for what the grading draws."""
        return random.Random(self.seed)


def all_ports_free(tried: Tried) -> str:
    """Ask a new allocator for its length."""
    trial = tried.trial()
    free = trial.free()
    if free != trial.size:
        raise trial.wrong(f"a new allocator of {trial.size} ports has the length {free}", f"{trial.size}")
    return f"a new allocator of {trial.size} ports has the length {free}"


def own_ports(tried: Tried) -> str:
    """Fill two ranges with a gap between them."""
    first, ports = tried.variant["first"], tried.variant["ports"]
    half = ports // 2
    trial = tried.trial(ranges=[range(first, first + half), range(first + GAP, first + GAP + ports - half)])
    for place, value in enumerate(trial.allocate(sockets(trial.size))):
        if isinstance(value, int) and not any(value in each for each in trial.ranges):
            raise trial.wrong(f"port {value} was given", f"a port of {_written(trial.ranges)}", at=place)
    if not trial.given:
        raise trial.wrong("no port was given", f"a port of {_written(trial.ranges)}")
    return f"{len(trial.given)} ports were given, all of {_written(trial.ranges)}"


def one_owner(tried: Tried) -> str:
    """Give and release at random, with up to three quarters of the ports taken."""
    trial, steps = tried.trial(), 0
    for asked, values, owners in _churn(tried, trial):
        for place, (socket, value) in enumerate(zip(asked, values, strict=True)):
            if not isinstance(value, int):
                continue
            if value in owners:
                seen = f"port {value} was given to {socket} while {owners[value]} had it"
                raise trial.wrong(seen, "one owner", at=place)
            owners[value] = socket
            steps += 1
    if not steps:
        raise trial.wrong("no port was given", "ports with one owner each")
    return f"{steps} ports were given, each to one owner"


def last_port(tried: Tried) -> str:
    """Ask for as many ports as there are."""
    trial = tried.trial()
    values = trial.allocate(sockets(trial.size))
    found = {value for value in values if isinstance(value, int) and value in trial.ranges[0]}
    if len(found) < trial.size:
        raise trial.wrong(f"{len(found)} of {trial.size} ports were given", f"all {trial.size}")
    return f"all {trial.size} ports were given"


def returns_none(tried: Tried) -> str:
    """Ask for three more ports than there are."""
    trial = tried.trial()
    values = trial.allocate(sockets(trial.size + 3))
    if not any(isinstance(value, int) for value in values):
        raise trial.wrong("no port was given", "ports, and None after the last one")
    for place, value in enumerate(values):
        if place >= trial.size and value is not None:
            what = value if isinstance(value, str) else f"returned {value}"
            raise trial.wrong(f"with {trial.size} ports taken, allocate {what}", "None", at=place)
    return f"with {trial.size} ports taken, allocate returned None"


def counts_free(tried: Tried) -> str:
    """Give and release at random, and ask for the length in between."""
    trial = tried.trial()
    for _ in _churn(tried, trial):
        free, expected = trial.free(), trial.size - len(trial.given)
        if free != expected:
            raise trial.wrong(f"the length was {free} with {len(trial.given)} ports taken", f"{expected}")
    if not trial.given:
        raise trial.wrong("no port was given", "a length that shrinks with each port")
    return "the length was the number of free ports each time"


def given_back(tried: Tried) -> str:
    """Fill, and release all, in turn."""
    trial = tried.trial()
    for turn in range(1, 4):
        values = trial.allocate(sockets(trial.size))
        if turn == 1:
            least = len(trial.given)
        found = {value for value in values if isinstance(value, int)}
        if not least or len(found) < least:
            raise trial.wrong(f"fill {turn} got {len(found)} ports", f"{least or trial.size}, as the first one")
        trial.release([*trial.given])
    return f"each of 3 fills got {least} ports"


def quota(tried: Tried) -> str:
    """Have one subscriber ask for more than its quota, and then another one."""
    trial, most = tried.trial(), tried.variant["quota"]
    values = trial.allocate([Socket(0, number) for number in range(most + 3)])
    got = sum(isinstance(value, int) for value in values)
    if got != most:
        raise trial.wrong(f"a subscriber got {got} ports", f"{most}, its quota")
    if any(value is not None for value in values[most:]):
        raise trial.wrong(f"beyond the quota, allocate {values[-1]}", "None")
    (other,) = trial.allocate([Socket(1, 0)])
    if not isinstance(other, int):
        raise trial.wrong("another subscriber got no port", "a port: the quota is each one's own")
    return f"a subscriber got {got} ports of {most + 3} that it asked for, and another one got its own"


def quota_given_back(tried: Tried) -> str:
    """Have one subscriber fill its quota, release a port, and ask again, in turn."""
    trial, most = tried.trial(), tried.variant["quota"]
    trial.allocate([Socket(0, number) for number in range(most)])
    for turn in range(1, 4):
        if not trial.given:
            raise trial.wrong("no port was given", f"{most} ports")
        trial.release([next(iter(trial.given))])
        again, beyond = trial.allocate([Socket(0, most + turn), Socket(0, 2 * most + turn)])
        if not isinstance(again, int):
            raise trial.wrong(
                "after a release the subscriber got no port", "one port, as its quota has room again"
            )
        if beyond is not None:
            raise trial.wrong("after a release the subscriber got two ports", "one port, and then None")
    return "after each release the subscriber got one port, and not two"


def unguessable(tried: Tried) -> str:
    """Guess each port from those before, in the ways that an observer would try first."""
    right: Counter[str] = Counter()
    guesses = 0
    for turn in range(6):
        trial = tried.trial(more=turn)
        guesses += _guessed(trial, right)
    if not guesses:
        raise trial.wrong("no port was given", "ports that cannot be guessed")
    for how, count in right.most_common(1):
        if count > GUESSES_RIGHT * guesses:
            raise trial.wrong(
                f"{count} of {guesses} guesses were right: the next port is {how}", "hardly any right guess"
            )
    firsts = Counter(str(tried.trial(more=1000 + number).allocate(sockets(1))[0]) for number in range(FIRST_PORTS))
    (port, count), *_ = firsts.most_common(1)
    if count > MOST_EQUAL:
        raise WrongError(
            f"{count} of {FIRST_PORTS} allocators with seeds of their own began with {port}", "1 or 2"
        )
    return f"no way of guessing was right in more than {max(right.values(), default=0)} of {guesses} cases"


def repeatable(tried: Tried) -> str:
    """Make two allocators with one seed."""
    ports = []
    for _ in range(2):
        trial = tried.trial()
        values = trial.allocate(sockets(40))
        trial.release([value for value in dict.fromkeys(values[:10]) if isinstance(value, int)])
        ports.append([*values, *trial.allocate(sockets(20))])
    if not any(isinstance(value, int) for value in ports[0]):
        raise trial.wrong("no port was given", "the same ports twice")
    for place, (one, other) in enumerate(zip(*ports, strict=True)):
        if one != other:
            raise WrongError(f"with the same seed, port {place + 1} was {one}, and then {other}", "the same ports")
    return "the same seed gave the same 60 ports"


def constant_time(tried: Tried) -> str:
    """Compare the processor time of calls with few ports and with many, nearly full and nearly empty."""
    worst = 0.0
    for is_full in (False, True):
        small, large = (_prepared(tried, ports, is_full=is_full) for ports in (SMALL, LARGE))
        took: list[tuple[float, float]] = [(_took(tried, small), _took(tried, large)) for _ in range(MEASURED)]
        times = min(each[1] for each in took) / min(each[0] for each in took)
        if times > TIMES_LONGER:
            how = "all but 16 taken" if is_full else "16 taken"
            raise WrongError(
                f"with {len(LARGE):,} ports, {how}, a call took {times:.0f} times as long as with {len(SMALL):,}",
                f"at most {TIMES_LONGER:g} times",
            )
        worst = max(worst, times)
    return f"with 64 times as many ports a call took {worst:.1f} times as long"


REQUIREMENTS: dict[str, Callable[[Tried], str]] = {
    "all-ports-free": all_ports_free,
    "own-ports": own_ports,
    "one-owner": one_owner,
    "last-port": last_port,
    "returns-none": returns_none,
    "counts-free": counts_free,
    "given-back": given_back,
    "quota": quota,
    "quota-given-back": quota_given_back,
    "unguessable": unguessable,
    "repeatable": repeatable,
    "constant-time": constant_time,
}
"""By the names in the YAML file."""
ONCE = ("constant-time",)
"""The requirements that no seed changes."""


def _churn(tried: Tried, trial: Trial) -> Iterator[tuple[list[Socket], list[int | str | None], dict[int, Socket]]]:
    """Give and release ports at random; yield each time what was asked, what came back, and the owners before."""
    rng = tried.random()
    for _ in range(STEPS // BATCH):
        owners = dict(trial.given)
        if len(owners) < trial.size * 3 // 4 - BATCH:
            asked = trial.newcomers(BATCH)
            yield asked, trial.allocate(asked), owners
        owned = sorted(trial.given)
        trial.release(rng.sample(owned, min(len(owned), rng.randrange(BATCH))))


def _guessed(trial: Trial, right: Counter[str]) -> int:
    """Count the right guesses of each way, and return how many guesses there were."""
    values = [value for value in trial.allocate(sockets(40)) if isinstance(value, int)]
    taken: set[int] = set()
    ports, guesses = trial.ranges[0], 0
    for before, last, value in zip(values, values[1:], values[2:], strict=False):
        taken |= {before, last}
        free = [port for port in ports if port not in taken]
        ways = {
            "the one above the last": last + 1,
            "the one below the last": last - 1,
            "as far from the last as that from the one before": 2 * last - before,
            "the lowest free one": free[0],
            "the highest free one": free[-1],
        }
        right.update(way for way, guess in ways.items() if guess == value)
        guesses += 1
    released: list[int] = []
    for turn in range(20):
        owned = [port for port in trial.given if port not in released]
        if not owned:
            break
        port = owned[turn * 7 % len(owned)]
        trial.release([port])
        released.append(port)
        if len(released) < 6:
            continue
        (given,) = trial.allocate(trial.newcomers(1))
        ways = {"the one released last": released[-1], "the one released first": released[0]}
        right.update(way for way, guess in ways.items() if guess == given)
        guesses += 1
        released = [each for each in released if each != given]
    return guesses


def _prepared(tried: Tried, ports: range, *, is_full: bool) -> Trial:
    trial = tried.trial(ranges=[ports])
    trial.allocate(sockets(len(ports) - LEFT if is_full else LEFT))
    if not trial.given:
        raise trial.wrong("no port was given", "ports, in constant time")
    return trial


def _took(tried: Tried, trial: Trial) -> float:
    """Return the processor time of calls that release a port and ask for another one."""
    released = [port for port, _ in zip(reversed(trial.given), range(LEFT // 2), strict=False)]
    before = tried.submission.processor_s
    for _ in range(PAIRS // len(released) + 1):
        trial.release(released)
        values = trial.allocate(trial.newcomers(len(released)))
        released = [value for value in dict.fromkeys(values) if isinstance(value, int)]
        if not released:
            raise trial.wrong("after a release no port was given", "ports, in constant time")
    return tried.submission.processor_s - before


def _written(ranges: Sequence[range]) -> str:
    return " and ".join(f"{each.start} to {each.stop - 1}" for each in ranges)
