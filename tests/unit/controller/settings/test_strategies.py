"""An allocator or a policy of one's own: what it has to have, how it is tried, and how it is watched in a run."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from controller.nat.events import ThresholdReached
from controller.nat.model import Answer, Endpoint, Flow, Limit, Packet, Protocol
from controller.nat.recency import recency_interval
from controller.nat.strategies.allocators import ALLOCATORS, PortPlan
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.exhaustion.policy import Shortage, Wait
from controller.nat.translator import Nat
from controller.nat.verdicts import Translate
from controller.settings import ConfigurationError, Settings
from controller.settings.strategies import GET_ALLOCATOR, GET_POLICY
from controller.wiring import ControllerConfiguration

ROOT = Path(__file__).resolve().parents[4]
ALLOCATOR = """
from controller.api import Allocator
from controller.nat.strategies.allocators.random_ import RandomAllocator

class Upward(Allocator):
    def __init__(self, plan):
        self.free = list(plan.ports)[::-1]

    def __len__(self):
        return len(self.free)

    def allocate(self, internal, now):
        return self.free.pop() if self.free else None

    def release(self, port, now):
        self.free.append(port)
"""
POLICY = """
from controller.api import Answer, Policy

class Polite(Policy):
    def decide(self, shortage):
        return Answer.ICMP
"""
ODD = ALLOCATOR.replace("list(plan.ports)[::-1]", "[port for port in plan.ports if port % 2]")
SERVER = Endpoint.parse("198.51.100.1:7")


def refusal(**values: object) -> str:
    """Return what the user is told when the core's settings are made."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.model_validate(values).for_nat()
    return str(refused.value)


def own(folder: Path, content: str) -> Path:
    """Write a stranger's file."""
    path = folder / "mine.py"
    path.write_text(content)
    return path


def without(content: str, method: str) -> str:
    """Return a class without one of its methods."""
    kept, skipping = [], False
    for line in content.splitlines():
        if line.startswith("    ") and not line.startswith("        "):
            skipping = line.strip().startswith(f"def {method}(")
        if not skipping:
            kept.append(line)
    return "\n".join(kept)


def host(number: int) -> Endpoint:
    """Return an internal endpoint."""
    return Endpoint(0x0A000001 + number, 40_000)


def shortage() -> Shortage:
    """Return a shortage of ports, with nobody to evict."""
    packet = Packet(Protocol.UDP, host(1), SERVER)
    return Shortage(packet, Limit.PORTS, iter(()), Answer.NOTHING)


# Finding it


@pytest.mark.parametrize("suffix", ["", ":Upward"], ids=["alone in its file", "by its name"])
def test_an_allocator_of_ones_own_is_given_to_the_core(tmp_path: Path, suffix: str) -> None:
    """What the file imports does not count as its own."""
    path = own(tmp_path, ALLOCATOR)

    cls = Settings(port_allocation_type=f"{path}{suffix}").for_nat().allocator

    mine = cls(PortPlan(range(1024, 1026), random.Random(1), 1, 1.0))
    assert [mine.allocate(host(1), 0.0) for _ in range(3)] == [1024, 1025, None]
    mine.release(1025, 1.0)
    assert (len(mine), mine.allocate(host(1), 1.0)) == (1, 1025)


@pytest.mark.parametrize("suffix", ["", ":Polite"], ids=["alone in its file", "by its name"])
def test_a_policy_of_ones_own_is_given_to_the_core(tmp_path: Path, suffix: str) -> None:
    """Likewise."""
    cls = Settings(on_exhaustion=f"{own(tmp_path, POLICY)}{suffix}").for_nat().on_exhaustion

    assert cls().decide(shortage()) is Answer.ICMP


@pytest.mark.parametrize("flag", [False, True])
def test_the_flags_of_ones_own_reach_the_core(tmp_path: Path, flag: bool) -> None:
    """They need to be written only where they differ."""
    path = own(
        tmp_path,
        ALLOCATOR.replace("(Allocator):", f"(Allocator):\n    by_subscriber = {flag}\n")
        + POLICY.replace("(Policy):", f"(Policy):\n    evicts = {flag}\n"),
    )

    settings = Settings(port_allocation_type=str(path), on_exhaustion=str(path)).for_nat()

    assert (settings.allocator.by_subscriber, settings.on_exhaustion.evicts) == (flag, flag)


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    """Each is found by its base class, and the helpers of neither count."""
    path = own(tmp_path, ALLOCATOR + POLICY + "\nclass Helper:\n    pass\n")

    settings = Settings(port_allocation_type=str(path), on_exhaustion=str(path)).for_nat()

    assert (settings.allocator.__name__, settings.on_exhaustion.__name__) == ("Upward", "Polite")


def test_a_class_with_two_names_is_one_class(tmp_path: Path) -> None:
    """It needs no FILE.py:Class."""
    path = own(tmp_path, f"{POLICY}\nAlias = Polite\n")

    assert Settings(on_exhaustion=str(path)).for_nat().on_exhaustion.__name__ == "Polite"


@pytest.mark.parametrize("name", ALLOCATORS)
def test_a_copy_of_our_own_allocator_works(tmp_path: Path, name: str) -> None:
    """The natural beginning of one's own."""
    ours = ALLOCATORS[name]
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / f"{ours.__module__.replace('.', '/')}.py", copy)

    assert Settings(port_allocation_type=f"{copy}:{ours.__name__}").for_nat().allocator.__name__ == ours.__name__
    assert Settings(port_allocation_type=str(copy)).for_nat().allocator.__name__ == ours.__name__


@pytest.mark.parametrize("name", POLICIES)
def test_a_copy_of_our_own_policy_works(tmp_path: Path, name: str) -> None:
    """Likewise."""
    ours = POLICIES[name]
    copy = tmp_path / "mine.py"
    shutil.copy(ROOT / f"{ours.__module__.replace('.', '/')}.py", copy)

    assert Settings(on_exhaustion=str(copy)).for_nat().on_exhaustion.__name__ == ours.__name__


# What it lacks


@pytest.mark.parametrize(
    ("setting", "content", "method", "written"),
    [
        ("port_allocation_type", ALLOCATOR, "__init__", "def __init__(self, plan)"),
        ("port_allocation_type", ALLOCATOR, "__len__", "def __len__(self)"),
        ("port_allocation_type", ALLOCATOR, "allocate", "def allocate(self, internal, now)"),
        ("port_allocation_type", ALLOCATOR, "release", "def release(self, port, now)"),
        ("on_exhaustion", POLICY, "decide", "def decide(self, shortage)"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
@pytest.mark.parametrize("suffix", [False, True], ids=["alone in its file", "by its name"])
def test_a_class_that_lacks_a_method_is_told_which(
    tmp_path: Path, setting: str, content: str, method: str, written: str, suffix: bool
) -> None:
    """As it would have to be written."""
    path = own(tmp_path, without(content, method) + "\n    pass\n")
    kind, cls = ("allocator", "Upward") if content is ALLOCATOR else ("policy", "Polite")
    name = f"{path}:{cls}" if suffix else str(path)

    assert refusal(**{setting: name}) == (
        f"{kind} {name!r}: class {cls} is not yet one; it has to have: {written}"
    )


@pytest.mark.parametrize(
    ("before", "after", "written"),
    [
        ("def allocate(self, internal, now)", "def allocate(self, internal)", "def allocate(self, internal, now)"),
        ("def release(self, port, now)", "def release(self, port, now, more)", "def release(self, port, now)"),
        ("def __init__(self, plan)", "def __init__(self)", "def __init__(self, plan)"),
        ("def __len__(self)", "by_subscriber = 'no'\n\n    def __len__(self)", "by_subscriber = False (or True)"),
        ("def __len__(self)", "__len__ = 3\n\n    def other(self)", "def __len__(self)"),
    ],
    ids=["too few parameters", "too many", "no plan", "not a bool", "not a method"],
)
def test_a_method_that_cannot_be_called_is_as_good_as_none(
    tmp_path: Path, before: str, after: str, written: str
) -> None:
    """The core would meet it in the middle of a run."""
    path = own(tmp_path, ALLOCATOR.replace(before, after))

    assert refusal(port_allocation_type=str(path)).endswith(f"it has to have: {written}")


@pytest.mark.parametrize(
    ("setting", "content", "base", "importing"),
    [
        ("port_allocation_type", ALLOCATOR, "Allocator", GET_ALLOCATOR),
        ("on_exhaustion", POLICY, "Policy", GET_POLICY),
    ],
    ids=["allocator", "policy"],
)
def test_a_class_that_does_not_derive_is_told_from_what_and_what_to_import(
    tmp_path: Path, setting: str, content: str, base: str, importing: str
) -> None:
    """Also among others; and the import works."""
    path = own(tmp_path, content.replace(f"({base})", "") + "\nclass Helper:\n    pass\n")
    cls = "Upward" if content is ALLOCATOR else "Polite"

    told = refusal(**{setting: str(path)})

    assert told.endswith(
        f"'{path}': class {cls} does not derive from {base}; write `{importing}`, and `class {cls}({base}):`"
    )
    namespace: dict[str, object] = {}
    exec(importing, namespace)
    assert namespace[base] in ALLOCATORS["random"].__mro__ + POLICIES["drop"].__mro__


def test_a_missing_file_of_an_allocator_is_refused(tmp_path: Path) -> None:
    """With its name."""
    told = refusal(port_allocation_type=f"{tmp_path}/none.py:Mine")

    assert told == f"allocator '{tmp_path}/none.py': there is no such file"


# Trying it


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "self.free = ",
            "plan.port; self.free = ",
            "cannot be made: AttributeError: 'PortPlan' object has no attribute 'po",
        ),
        ("return len(self.free)", "return 1 / 0", "cannot be made: ZeroDivisionError: division by zero"),
        ("return len(self.free)", "return None", "cannot be made: TypeError: "),
        ("return len(self.free)", "return -1", "cannot be made: ValueError: "),
        (
            "return self.free.pop()",
            "return self.fre.pop()",
            "class Upward cannot allocate: AttributeError: 'Upward' object has no attrib",
        ),
        ("self.free.append(port)", "self.free.remove(port)", "class Upward cannot release 1024: ValueError: "),
    ],
    ids=["in the constructor", "in __len__", "no number", "a negative one", "in allocate", "in release"],
)
def test_an_allocator_is_tried_before_anything_starts(tmp_path: Path, before: str, after: str, told: str) -> None:
    """It is made, asked how many ports are free, gives a few, and gets them back."""
    path = own(tmp_path, ALLOCATOR.replace(before, after))

    sentence = refusal(port_allocation_type=str(path))

    assert sentence.startswith(f"allocator '{path}'")
    assert told in sentence


@pytest.mark.parametrize(
    ("length", "ports"), [("0", 4), ("len(self.free) * 2", 8), ("len(self.free) + 1", 1)], ids=str
)
def test_a_capacity_that_cannot_be_is_refused(tmp_path: Path, length: str, ports: int) -> None:
    """Nothing at all, or more than there are ports."""
    path = own(tmp_path, ALLOCATOR.replace("return len(self.free)", f"return {length}"))
    found = {"0": 0, "len(self.free) * 2": 16, "len(self.free) + 1": 2}[length]

    assert refusal(port_allocation_type=str(path), ports=ports) == (
        f"allocator '{path}': class Upward is not possible with ports={ports}: a new one has the length {found}, "
        f"not 1 to {ports}; return the number of free ports from __len__, or take more ports"
    )


def test_an_allocator_without_a_port_among_so_few_is_refused(tmp_path: Path) -> None:
    """Port 1024 is not odd; with one more there would be one."""
    path = own(tmp_path, ODD)

    assert "class Upward is not possible with ports=1: " in refusal(port_allocation_type=str(path), ports=1)
    assert Settings(port_allocation_type=str(path), ports=2).for_nat().capacity_of_address == 1


def test_an_allocator_that_returns_nothing_is_refused(tmp_path: Path) -> None:
    """Such as one whose author forgot `return`."""
    path = own(tmp_path, ALLOCATOR.replace("return self.free.pop() if self.free else None", "self.free.pop()"))

    assert refusal(port_allocation_type=str(path), ports=4) == (
        f"allocator '{path}': class Upward gives no port to the first 4 hosts that ask, though 4 are free; "
        "return one of plan.ports from allocate"
    )


def test_an_allocator_that_never_changes_a_port_is_one(tmp_path: Path) -> None:
    """It is asked for the ports of its plan, of which it has to have one."""
    path = own(
        tmp_path,
        ODD.replace(
            "return self.free.pop() if self.free else None",
            "if internal.port not in self.free: return None\n"
            "        self.free.remove(internal.port)\n        return internal.port",
        ),
    )

    assert Settings(port_allocation_type=str(path), ports=64).for_nat().capacity_of_address == 32


def test_an_allocator_may_give_a_port_twice(tmp_path: Path) -> None:
    """No check before a run finds that out: a scenario does."""
    doubled = ALLOCATOR.replace("list(plan.ports)", "[port for port in plan.ports for _ in range(2)]")
    path = own(tmp_path, doubled.replace("return len(self.free)", "return len(self.free) // 2"))

    settings = Settings(port_allocation_type=str(path), ports=4).for_nat()

    mine = settings.allocator(settings.plan(random.Random(1)))
    assert [mine.allocate(host(number), 0.0) for number in range(3)] == [1024, 1024, 1025]


def test_the_trial_is_with_the_ports_and_blocks_of_the_run(tmp_path: Path) -> None:
    """An allocator may refuse what it cannot serve, with words of its own."""
    refusing = "raise ValueError((plan.ports, plan.port_set_size, plan.port_set_timeout))"
    path = own(tmp_path, ALLOCATOR.replace("self.free = list(plan.ports)[::-1]", refusing))

    told = refusal(port_allocation_type=str(path), ports=8, port_set_size=2, port_set_timeout=10, time_scale=0.5)

    assert told.endswith("ValueError: (range(1024, 1032), 2, 5.0)")


def test_a_policy_is_tried_before_anything_starts(tmp_path: Path) -> None:
    """It is made without any argument."""
    path = own(tmp_path, POLICY + "\n    def __init__(self):\n        1 / 0\n")

    assert refusal(on_exhaustion=str(path)) == (
        f"policy '{path}' cannot be made: ZeroDivisionError: division by zero"
    )


# Watching it


@pytest.mark.parametrize("given", ["80", "1032", "1023", "True", "1024.0", "'1024'"])
def test_a_port_that_is_none_of_the_plan_is_told_before_anything_starts(tmp_path: Path, given: str) -> None:
    """With the class, the port, and the range."""
    path = own(tmp_path, ALLOCATOR.replace("return self.free.pop() if self.free else None", f"return {given}"))

    assert refusal(port_allocation_type=str(path), ports=8) == (
        f"allocator '{path}': class Upward gave 10.0.0.1:1024 the port {given}, which is not one of its ports, "
        "1024 to 1031; return one of plan.ports from allocate, or None if none is free"
    )


def test_a_port_that_is_none_of_the_plan_ends_a_run(tmp_path: Path) -> None:
    """When it is given late."""
    late = "port = self.free.pop() if self.free else None\n        return 80 if port == 1043 else port"
    path = own(tmp_path, ALLOCATOR.replace("return self.free.pop() if self.free else None", late))
    nat = Nat(Settings(port_allocation_type=str(path), ports=64).for_nat(), random.Random(1))

    verdicts = [nat.outbound(Packet(Protocol.UDP, host(number), SERVER), 0.0) for number in range(19)]
    with pytest.raises(ConfigurationError) as refused:
        nat.outbound(Packet(Protocol.UDP, host(19), SERVER), 0.0)

    assert all(isinstance(verdict, Translate) for verdict in verdicts)
    assert "class Upward gave 10.0.0.20:40000 the port 80, which is not one of its ports, 1024 to 1087; " in str(
        refused.value
    )


@pytest.mark.parametrize("returned", ["None", "'icmp'", "Answer", "Wait"])
def test_a_decision_that_is_none_ends_a_run(tmp_path: Path, returned: str) -> None:
    """A policy whose author forgot `return` would let each packet wait."""
    path = own(tmp_path, POLICY.replace("Policy\n", "Policy, Wait\n", 1).replace("Answer.ICMP", returned))
    mine = Settings(on_exhaustion=str(path)).for_nat().on_exhaustion()

    with pytest.raises(ConfigurationError) as refused:
        mine.decide(shortage())

    assert str(refused.value).startswith(f"policy '{path}': class Polite decided ")
    assert str(refused.value).endswith("return an Answer, Wait() or Evict(mapping) from decide")


def test_every_kind_of_decision_passes(tmp_path: Path) -> None:
    """Such as to wait."""
    path = own(tmp_path, POLICY.replace("Policy\n", "Policy, Wait\n", 1).replace("Answer.ICMP", "Wait()"))

    assert Settings(on_exhaustion=str(path)).for_nat().on_exhaustion().decide(shortage()) == Wait()


@pytest.mark.parametrize("name", ALLOCATORS)
def test_ours_are_not_watched(name: str) -> None:
    """The core calls them directly, and pays nothing."""
    assert Settings(port_allocation_type=name).for_nat().allocator is ALLOCATORS[name]


@pytest.mark.parametrize("name", POLICIES)
def test_our_policies_are_not_watched(name: str) -> None:
    """Likewise."""
    assert Settings(on_exhaustion=name).for_nat().on_exhaustion is POLICIES[name]


# In a process of its own


def test_the_controller_finds_the_same_class_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the settings from its YAML file, in a process of its own."""
    own(tmp_path, ALLOCATOR + POLICY)
    monkeypatch.chdir(tmp_path)
    settings = Settings(port_allocation_type="mine.py", on_exhaustion="mine.py:Polite")
    file = tmp_path / "controller.yaml"
    ControllerConfiguration(settings=settings, interfaces=[], mac="", seed=1).save(file)
    monkeypatch.chdir("/")

    loaded = ControllerConfiguration.load(file).settings

    assert loaded.port_allocation_type == f"{tmp_path}/mine.py"
    assert loaded.on_exhaustion == f"{tmp_path}/mine.py:Polite"
    assert loaded.for_nat().allocator.__name__ == "Upward"
    assert loaded.for_nat().on_exhaustion.__name__ == "Polite"


# Its capacity


def test_the_length_of_an_allocator_is_its_capacity(tmp_path: Path) -> None:
    """Of the pool, too: what is free and what is given add up to it, and usage is a share of it."""
    settings = Settings(port_allocation_type=str(own(tmp_path, ODD)), ports=8, external_addresses=2)
    nat = Nat(settings.for_nat(), random.Random(1))

    assert (settings.capacity_of_address, settings.capacity) == (4, 8)
    assert nat.pool.usage(Protocol.UDP).free == 8
    for number in range(7):
        assert isinstance(nat.outbound(Packet(Protocol.UDP, host(number), SERVER), 0.0), Translate)
    usage = nat.pool.usage(Protocol.UDP)
    assert (usage.allocated, usage.free) == (7, 1)


def test_a_whole_allocator_is_forgotten_by_its_own_length(tmp_path: Path) -> None:
    """Where ports overlap there is one for each destination, and destinations come and go."""
    settings = Settings(
        port_allocation_type=str(own(tmp_path, ODD)),
        ports=8,
        mapping_type="edm",
        filtering_type="edf",
        port_overlapping="endpoint",
        hold_down_timeout=0,
    )
    nat = Nat(settings.for_nat(), random.Random(1))

    flows: list[Flow] = []
    for number in range(100):
        verdict = nat.outbound(Packet(Protocol.UDP, host(1), Endpoint(SERVER.address, number)), 0.0)
        assert isinstance(verdict, Translate)
        flows.append(verdict.flow)
    assert nat.pool.usage(Protocol.UDP).free == 100 * 3
    nat.flush(0.0)
    nat.due(10.0)

    assert nat.pool.usage(Protocol.UDP).free == 4


def test_usage_is_a_share_of_the_capacity(tmp_path: Path) -> None:
    """Half of four is two, though there are eight ports in the plan."""
    odd = str(own(tmp_path, ODD))
    settings = Settings(port_allocation_type=odd, ports=8, pool_usage_high=50, pool_usage_low=25)
    nat = Nat(settings.for_nat(), random.Random(1))

    crossed = []
    for number in range(2):
        nat.outbound(Packet(Protocol.UDP, host(number), SERVER), 0.0)
        crossed.append([event.is_high for event in nat.events if isinstance(event, ThresholdReached)])

    assert crossed == [[], [True]]


def test_counts_are_read_as_often_as_the_capacity_allows(tmp_path: Path) -> None:
    """Where mappings are kept in the order of their last use: 60 us for each port that there can be."""
    settings = Settings(port_allocation_type=str(own(tmp_path, ODD)), ports=60_000)

    assert recency_interval(settings.for_nat()) == pytest.approx(30_000 * 60e-6)


def test_an_allocator_that_fails_only_when_it_is_empty_is_named_then(tmp_path: Path) -> None:
    """The trial does not empty it; the run does."""
    path = own(tmp_path, ALLOCATOR.replace("self.free.pop() if self.free else None", "self.free.pop()"))
    settings = Settings.model_validate({"port_allocation_type": str(path), "ports": 16})
    free = settings.for_nat().allocator(PortPlan(range(1024, 1026), random.Random(0), 1, 0.0))

    for port in range(2):
        free.allocate(Endpoint(1, port), 0.0)
    with pytest.raises(ConfigurationError, match="class Upward cannot allocate: IndexError"):
        free.allocate(Endpoint(1, 2), 0.0)


def test_a_policy_that_declares_no_answer_is_refused(tmp_path: Path) -> None:
    """A word is no Answer."""
    path = own(tmp_path, POLICY.replace("    def decide", "    answers = 'icmp'\n\n    def decide"))

    assert "has answers='icmp'; take one such as Answer.ICMP" in refusal(on_exhaustion=str(path))


@pytest.mark.parametrize("line", ["import testbed.api", "from testbed.api import Scenario", "import mininet.node"])
def test_what_the_controller_cannot_load_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    """The controller would otherwise not start."""
    path = own(tmp_path, f"{line}\n{ALLOCATOR}")

    assert f"line 1 imports {line.split()[1]}, but the controller" in refusal(port_allocation_type=str(path))


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    """With the line."""
    path = own(tmp_path, "class Mine(:\n")

    assert "SyntaxError: " in refusal(on_exhaustion=str(path))
