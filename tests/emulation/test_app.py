"""Somebody's OpenFlow controller as the gateway: the classic apps, an honest one, and what can go wrong."""

from __future__ import annotations

import html
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.emulation.conftest import FILES, SMALL, Run
from tests.support import machines
from tests.support.paths import ROOT
from tests.support.processes import awaited

EXAMPLES = ROOT / "docs" / "examples" / "apps"
HONEST, DYING = EXAMPLES / "whole_nat.py", FILES / "apps" / "dying.py"
SECOND_FILL = "connections-of-a-second-fill-that-carry-data-no-port-was-lost"
RED = {
    ("half_the_pool", "port-exhaustion"): {"established", SECOND_FILL},
    ("half_the_pool", "release"): {"ports-held-for-tcp-and-udp", "close-first-port-back", "udp-last-port-back"},
    ("half_the_pool", "protocols"): {"tcp-established", "udp-established", "icmp-established"},
    ("half_the_pool", "churn"): {"refused-at-0.7-times-capacity", "refused-at-1.5-times-capacity"},
    ("dying_timer", "port-exhaustion"): {SECOND_FILL},
    ("dying_timer", "release"): {"silence-first-port-back", "udp-last-port-back"},
    ("dying_timer", "protocols"): {"icmp-established"},
    ("dying_timer", "churn"): {"refused-at-0.7-times-capacity", "refused-at-1.5-times-capacity"},
    ("minus_one", "port-exhaustion"): {
        "established",
        "external-endpoints-that-do-not-belong-to-the-pool",
        "sharing",
    },
    ("minus_one", "release"): {"ports-given-again-while-nothing-ends"},
    ("minus_one", "protocols"): {"tcp-carrying-data", "icmp-established", "sharing"},
    ("minus_one", "churn"): {"refused-at-1.5-times-capacity", "sharing"},
    ("textbook", "port-exhaustion"): {SECOND_FILL},
    ("textbook", "release"): {"close-first-port-back", "reset-first-port-back", "udp-last-port-back"},
    ("textbook", "protocols"): {"icmp-established"},
    ("textbook", "churn"): {"refused-at-0.7-times-capacity", "refused-at-1.5-times-capacity"},
}
"""Of each classic app in each scenario, the checks that show its mistake: docs/how/app.md has the table."""
CAUSES = {
    "half_the_pool": r"IndexError: pop index out of range \(half_the_pool.py:\d+\)",
    "dying_timer": r"RuntimeError: dictionary changed size during iteration \(dying_timer.py:\d+\)",
}


UNRAISED = {("dying_timer", "protocols"), ("dying_timer", "churn")}
"""Where no port comes back while the app runs, so that its timer does not die."""


def red(finished: object) -> set[str]:
    """Return the keys of the checks that failed."""
    return {check["key"] for check in finished.result["checks"] if not check["ok"]}  # type: ignore[attr-defined]


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port at which nothing listens on this machine, until the test's own controller does."""
    with machines.free_port() as port:
        yield port


def test_an_app_runs_unchanged_between_a_lan_port_and_a_wan_port(run: Run, tmp_path: Path) -> None:
    """In the topology edge. What it printed is among the results, and what it did well is not held against it."""
    own = ("--set", f"app={HONEST}", "--set", "patience=1", "--out", str(tmp_path / "out"))
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["topology"] == "edge"
    assert finished.result["outcomes"]["established"] == 16
    assert finished.result["files"]["log"] == str(tmp_path / "out" / "app.log")
    assert "loading app whole_nat" in (tmp_path / "out" / "app.log").read_text()
    assert "answered no ARP request" not in finished.result["story"]


@pytest.mark.deep
def test_an_app_that_answers_no_arp_request_is_named_in_the_story(run: Run, tmp_path: Path) -> None:
    """It is the first thing that an app of one's own lacks."""
    (tmp_path / "deaf.py").write_text(
        "from ryu.base import app_manager\n"
        "from ryu.ofproto import ofproto_v1_3\n\n\n"
        "class Nat(app_manager.RyuApp):\n"
        "    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]\n"
    )
    own = ("--set", f"app={tmp_path / 'deaf.py'}", "--set", "patience=1")
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "the app deaf.py answered no ARP request for 10.0.255.254 at inside1" in finished.result["story"]


@pytest.mark.deep
def test_an_app_in_front_of_bridges_only_is_asked_nothing(run: Run) -> None:
    """In `carrier` its LAN ports lead to other NATs, from which nobody can ask. This app needs a router."""
    own = ("--set", f"app={HONEST}", "--set", "patience=1")
    finished = run("run", "two-nats", "--gateway", "app", *own, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "answered no ARP request" not in finished.result["story"]


@pytest.mark.deep
@pytest.mark.parametrize(("app", "scenario"), RED)
def test_each_classic_mistake_is_shown_by_its_checks(run: Run, tmp_path: Path, app: str, scenario: str) -> None:
    """The page begins with them. Where the app raises an exception, the story has it, and so has the page."""
    finished = run("run", scenario, "--gateway", "app", "--set", f"app={EXAMPLES / app}.py", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert RED[app, scenario] <= red(finished)
    page = html.unescape((tmp_path / finished.result["files"]["report"]).read_text())
    assert f"{len(red(finished))} of {len(finished.result['checks'])} checks did not hold" in page
    assert next(check["claim"] for check in finished.result["checks"] if not check["ok"]) in page
    if app in CAUSES and (app, scenario) not in UNRAISED:
        assert re.search(CAUSES[app], finished.result["story"])
        assert re.search(CAUSES[app], page)
    assert finished.result["topology"] == "edge"


@pytest.mark.deep
@pytest.mark.parametrize("scenario", ["port-exhaustion", "release", "protocols", "fairness", "churn"])
def test_an_honest_app_passes(run: Run, scenario: str) -> None:
    """It does what the RFCs ask, in a page of code."""
    finished = run("run", scenario, "--gateway", "app", "--set", f"app={HONEST}", "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.deep
@pytest.mark.parametrize(
    ("scenario", "true", "false", "key"),
    [
        ("port-exhaustion", "port_allocation_type=sequential", "port_allocation_type=random", "port-order"),
        ("refusal-signals", "on_exhaustion=drop", "on_exhaustion=icmp", "udp-send-what-the-kernel-returns"),
        (
            "hole-punching",
            "filtering_type=eif",
            "filtering_type=adf",
            "alices-nat-filters-as-declared-server-endpoints-that-it-lets-in",
        ),
    ],
)
def test_an_app_is_held_to_what_its_author_promises(
    run: Run, scenario: str, true: str, false: str, key: str
) -> None:
    """A promise that it keeps is a check that holds, and one that it breaks is red."""
    asked = ("run", scenario, "--gateway", "app", "--set", f"app={HONEST}", "--json")
    kept, broken = (run(*asked, "--set", promise) for promise in (true, false))

    assert kept.status == 0, kept.output + kept.complaints
    assert broken.status == 1, broken.output + broken.complaints
    assert key in {check["key"] for check in kept.result["checks"]}
    assert key in red(broken)
    (check,) = [each for each in broken.result["checks"] if each["key"] == key]
    assert f"its author's promise, {false}" in check["source"]


def test_an_app_that_ends_is_an_error_with_its_last_words(run: Run, tmp_path: Path) -> None:
    """Within seconds, and its log is kept."""
    app = tmp_path / "nat.py"
    app.write_text("import ryu\nraise SystemExit('there is no port for me')\n")
    finished = run("run", "port-exhaustion", "--gateway", "app", "--set", f"app={app}", *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert finished.result["error"] == "the app nat.py ended with status 1"
    assert "there is no port for me" in finished.result["last_words"]


@pytest.mark.deep
def test_real_apps_have_modules_files_and_options_and_are_several(run: Run, tmp_path: Path) -> None:
    """One asks for Ryu's wsgi, another reads its configuration, and a module has the name of one of ours."""
    tmp_path.chmod(0o755)  # or its folder would not be seen
    (tmp_path / "nat.py").write_text(HONEST.read_text())
    (tmp_path / "controller.py").write_text("GREETING = 'hello from a module'\n")
    (tmp_path / "data.txt").write_text("and from a file")
    (tmp_path / "rest.log").write_text("")
    for name in ("lastport_wiring.py", "wiring.json"):  # of an earlier day: those of the run count
        (tmp_path / name).write_text("old")
    (tmp_path / "nat.ini").write_text("[DEFAULT]\nsecret = {{ external_ip }} {{ last_port }}\n")
    (tmp_path / "rest.py").write_text(
        "from ryu.base import app_manager\nfrom ryu import cfg\nfrom ryu.app.wsgi import WSGIApplication\n"
        "from controller import GREETING\ncfg.CONF.register_opts([cfg.StrOpt('secret')])\n"
        "class Rest(app_manager.RyuApp):\n    _CONTEXTS = {'wsgi': WSGIApplication}\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        open('written', 'w').close()\n        open('rest.log', 'a').write('new')\n"
        "        print(GREETING, open('data.txt').read(), self.CONF.secret, kwargs['wsgi'] is not None)\n"
    )
    app = f"app=[{tmp_path / 'nat.py'},{tmp_path / 'rest.py'}]"
    own = ("--set", app, "--set", f"app_config={tmp_path / 'nat.ini'}", "--out", str(tmp_path / "out"))
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert "hello from a module and from a file 192.0.2.1 1039 True" in (tmp_path / "out" / "app.log").read_text()
    assert not (tmp_path / "written").exists()
    assert [(tmp_path / name).read_text() for name in ("rest.log", "lastport_wiring.py", "wiring.json")] == [
        "",
        "old",
        "old",
    ]


@pytest.mark.deep
def test_a_command_is_a_controller_too(run: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Facts in braces are filled in, and it finds the constants. This one is our own starter, as a command."""
    tmp_path.chmod(0o755)  # or its folder would not be seen
    (tmp_path / "nat.py").write_text(HONEST.read_text())
    private = tmp_path_factory.mktemp("private")  # for its owner alone, so that of it the file alone is seen
    (private / "start").write_text(
        f"#!/bin/sh\necho port $1\nexport PYTHONPATH=$PYTHONPATH:{ROOT}\n"
        f"exec {sys.executable} -P -m controller.process.app $1 {tmp_path} nat\n"
    )
    (private / "start").chmod(0o700)
    command = f"app={private / 'start'} {{listen_port}} {tmp_path / 'nat.py'}"
    finished = run("run", "port-exhaustion", "--gateway", "app", "--set", command, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.deep
def test_a_command_of_a_virtual_environment_has_its_packages(run: Run, tmp_path: Path) -> None:
    """Of a user's home it sees that environment, and nothing else that it does not name."""
    tmp_path.chmod(0o755)  # or its folder would not be seen
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    (packages,) = (home / "venv").glob("lib/python*/site-packages")
    (packages / "lastport.pth").write_text("".join(f"{path}\n" for path in [ROOT, *filter(None, sys.path)]))
    (packages / "greeting.py").write_text("print('hello from the environment')\n")
    (home / "secret").write_text("")
    manager = home / "venv" / "bin" / "my-manager"
    manager.write_text(
        f"#!{home}/venv/bin/python\nimport greeting, os, sys\nfrom controller.process.app import main\n"
        f"print(os.path.exists('{home}/secret'))\nsys.argv[2:] = ['{home}/mine', 'nat']\nmain()\n"
    )
    manager.chmod(0o755)
    (home / "mine").mkdir()
    (home / "mine" / "nat.py").write_text(HONEST.read_text())
    command = f"app={manager} {{listen_port}} {home}/mine/nat.py"
    own = ("--set", command, "--out", str(tmp_path / "out"))
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert "hello from the environment\nFalse\n" in (tmp_path / "out" / "app.log").read_text()


@pytest.mark.deep
def test_an_os_ken_app_runs_as_a_ryu_app_does(run: Run, tmp_path: Path) -> None:
    """Where os-ken is installed, beside Ryu or without."""
    pytest.importorskip("os_ken")
    app = tmp_path / "nat.py"
    app.write_text(HONEST.read_text().replace("from ryu.", "from os_ken.").replace("RyuApp", "OSKenApp"))
    finished = run("run", "port-exhaustion", "--gateway", "app", "--set", f"app={app}", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["environment"]["framework"].startswith("os-ken ")


@pytest.mark.deep
def test_an_app_with_a_rest_interface_answers_in_the_run(run: Run, tmp_path: Path) -> None:
    """By Ryu's wsgi. What asks has to be in the sandbox: here it is the app itself, while connections are open."""
    app = tmp_path / "rest.py"
    app.write_text(
        "import json, urllib.request\nfrom ryu.lib import hub\n"
        "from ryu.app.wsgi import ControllerBase, Response, WSGIApplication, route\n"
        f"{HONEST.read_text()}\n\n"
        "class Rest(ControllerBase):\n"
        "    @route('nat', '/ports')\n"
        "    def ports(self, req, **kwargs):\n"
        "        used = [port for _, port in self.data['nat'].outside]\n"
        "        return Response(content_type='application/json', text=json.dumps(used))\n\n"
        "class Nat(WholeNat):\n"
        "    _CONTEXTS = {'wsgi': WSGIApplication}\n"
        "    def __init__(self, *args, **kwargs):\n"
        "        super().__init__(*args, **kwargs)\n"
        "        kwargs['wsgi'].register(Rest, {'nat': self})\n"
        "    def map(self, *asked):\n"
        "        if self.free[6][:1] == [LAST_PORT]:\n"
        "            hub.spawn(self.tell_ports)\n"
        "        return super().map(*asked)\n"
        "    def tell_ports(self):\n"
        "        print('ports in use', urllib.request.urlopen('http://127.0.0.1:8080/ports').read())\n\n"
        "del WholeNat\n"
    )
    own = ("--set", f"app={app}", "--out", str(tmp_path / "out"))
    finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    ports = ", ".join(map(str, range(1024, 1040)))
    assert f"ports in use b'[{ports}]'" in (tmp_path / "out" / "app.log").read_text()


@contextmanager
def outside(folder: Path, port: int, app: Path) -> Iterator[None]:
    """Run an app as a controller of this machine's, with the wiring in a folder."""
    starter = [sys.executable, "-P", "-m", "controller.process.app", str(port), str(app.parent), app.stem]
    told = {"LASTPORT_WIRING": str(folder / "wiring.json"), "PYTHONPATH": f"{ROOT}:{folder}"}
    started = subprocess.Popen(starter, env={**os.environ, **told}, stderr=subprocess.DEVNULL)
    listens = ["ss", "-Hltn", f"sport = :{port}"]
    try:
        awaited(
            lambda: subprocess.run(listens, capture_output=True, check=True).stdout or started.poll() is not None,
            "the controller to listen",
        )
        assert started.poll() is None
        yield
    finally:
        started.kill()
        started.wait()


@pytest.mark.deep
def test_a_controller_outside_of_the_sandbox_serves_a_run(run: Run, tmp_path: Path, free_port: int) -> None:
    """A first try, which is refused, has left the wiring beside the results. So the app needs no edit."""
    folder = tmp_path / "out"
    own = ("--set", f"controller=tcp:127.0.0.1:{free_port}", "--out", str(folder))
    asked = ("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")
    refused = run(*asked)
    with outside(folder, free_port, HONEST):
        finished = run(*asked)

    assert refused.status == 2
    assert f"LASTPORT_WIRING={folder}/wiring.json" in refused.complaints
    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["files"]["wiring"] == str(folder / "wiring.json")


@pytest.mark.deep
def test_a_controller_outside_that_dies_in_the_middle_of_a_run_is_an_error(
    run: Run, tmp_path: Path, free_port: int
) -> None:
    """As soon as its connection is closed, and not when the scenario gives up."""
    folder = tmp_path / "out"
    own = ("--set", f"controller=tcp:127.0.0.1:{free_port}", "--set", "patience=30", "--out", str(folder))
    asked = ("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")
    assert run(*asked).status == 2
    with outside(folder, free_port, DYING):
        finished = run(*asked)

    assert finished.status == 4, finished.output + finished.complaints
    connection = f"the connection to the controller at tcp:127.0.0.1:{free_port}"
    assert finished.result["error"] == f"{connection} ended with status 1"
    assert finished.result["last_words"] == "the controller closed the connection"


@pytest.mark.deep
@pytest.mark.parametrize(
    ("greeting", "words"),
    [(b"", "did not answer the switch's greeting (OFPT_HELLO)"), (b"220 mail", "b'220 mail'")],
    ids=["silent", "another service"],
)
def test_what_is_no_controller_outside_is_an_error_within_seconds(run: Run, greeting: bytes, words: str) -> None:
    """A service that says nothing, and one that says something else."""

    def greet() -> None:
        accepted, _ = server.accept()
        accepted.sendall(greeting)
        served.append(accepted)

    served: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, daemon=True).start()
        own = ("--set", f"controller=tcp:127.0.0.1:{server.getsockname()[1]}")
        finished = run("run", "port-exhaustion", "--gateway", "app", *own, *SMALL, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert words in finished.result["last_words"]
