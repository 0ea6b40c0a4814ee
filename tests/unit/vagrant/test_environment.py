"""Which environment a checkout uses, and what it leaves where."""

from __future__ import annotations

import shutil

import pytest

from tests.unit.vagrant.conftest import Checkout, Make


def test_checkouts_that_list_the_same_have_one_environment(make_checkout: Make) -> None:
    """What a checkout's own code is does not matter."""
    one, other = make_checkout("one"), make_checkout("other")
    (other.folder / "pyproject.toml").write_text("")

    assert one.located() == other.located()


@pytest.mark.parametrize("changed", ["python-packages/run.txt", "python-packages/ryu.txt", "make-environment.sh"])
def test_a_change_of_what_makes_an_environment_is_another_one(make_checkout: Make, changed: str) -> None:
    """So none is ever changed in its place."""
    one, other = make_checkout("one"), make_checkout("other")
    with (other.folder / "vagrant" / changed).open("a") as file:
        file.write("#\n")

    assert one.located() != other.located()


def test_an_environment_for_tests_serves_a_run(checkout: Checkout) -> None:
    """It has all that running needs; the reverse does not hold."""
    for_tests = checkout.make("test")

    assert checkout.located("run") == for_tests


def test_an_environment_for_running_does_not_serve_tests(checkout: Checkout) -> None:
    """It has no pytest."""
    for_running = checkout.make("run")

    assert checkout.located("test") != for_running
    assert checkout.located("run") == for_running


def test_an_environment_for_clusters_is_one_of_its_own(checkout: Checkout) -> None:
    """It is located for `sweep --cluster` and `grade --cluster` alone; neither tests nor runs make it."""
    for_clusters = checkout.make("cluster")

    assert checkout.located("run") != for_clusters
    assert checkout.located("test") != for_clusters
    for command in (("sweep", "plan", "--cluster", "tcp://h:1"), ("grade", "01", "class", "--cluster=tcp://h:1")):
        assert f"PYTHONPYCACHEPREFIX={checkout.store}/caches" in checkout.lastport(*command).stdout
        assert for_clusters.name in checkout.lastport(*command).stdout


def test_an_incomplete_environment_is_not_used(checkout: Checkout) -> None:
    """Its mark is written last."""
    environment = checkout.make("test")
    (environment / "complete").unlink()

    assert checkout.located("run") != environment


def test_a_checkout_that_is_gone_leaves_nothing_behind(make_checkout: Make) -> None:
    """The next start of another removes its caches."""
    one, other = make_checkout("one"), make_checkout("other")
    one.make()
    for each in (one, other):
        each.lastport("list")
    assert len(list((one.store / "caches").iterdir())) == 2

    shutil.rmtree(one.folder)
    other.lastport("list")

    (left,) = (one.store / "caches").iterdir()
    assert (left / "checkout").read_text() == f"{other.folder}\n"


def test_two_starts_that_remove_the_same_caches_both_go_on(make_checkout: Make) -> None:
    """The one that comes later finds files missing, or new ones in a folder that it wants to remove."""
    one, other = make_checkout("one"), make_checkout("other")
    one.make()
    one.lastport("list")
    shutil.rmtree(one.folder)
    other.program("rm", "#!/bin/sh\necho rm: Directory not empty >&2\nexit 1\n")

    ended = other.lastport("list")

    assert (ended.returncode, ended.stderr) == (0, "")


def test_only_a_checkouts_own_bytecode_is_in_its_caches(checkout: Checkout) -> None:
    """That of Python's library and of installed packages is the environment's, for all checkouts."""
    environment = checkout.make()
    module = checkout.folder / "own_module.py"
    module.touch()
    python = '#!/bin/sh\nexec /usr/bin/python3 -S -c "import own_module, tabnanny"\n'
    checkout.program("python", python, folder=environment / "bin")

    assert checkout.lastport("list").stderr == ""
    shared = {file.name.split(".")[0] for file in (environment / "bytecode").rglob("*.pyc")}
    own = {file.name.split(".")[0] for file in (checkout.store / "caches").rglob("*.pyc")}
    assert "tabnanny" in shared
    assert own == {"own_module"}
    assert not (checkout.folder / "__pycache__").exists()
