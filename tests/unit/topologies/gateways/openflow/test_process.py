"""A controller as a process of its own: a stand-in that answers as the real one does, over the same sockets."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
from pathlib import Path

import pytest
import yaml

from controller.settings import Settings
from topologies.gateways.base import GatewayError, GatewayPlan, Options, SupervisedProcess
from topologies.gateways.openflow import process
from topologies.gateways.openflow.process import ControllerProcess

STAND_IN = """
import json, socket, sys

path, port, telemetry = sys.argv[1:]
print("configured by", path, flush=True)
lab = socket.socket(fileno=int(telemetry))
lab.sendall(b'{"listening": true}\\n{"ready": true, "framework": "none"}\\n')
for line in lab.makefile():
    question = json.loads(line)
    lab.sendall(b'{"event": "something else"}\\n')
    lab.sendall(json.dumps({"id": question["id"] - 1, "gauges": {"late": 1}}).encode() + b"\\n")
    answer = {"id": question["id"], "gauges": {"port": int(port)}, "asked": question}
    lab.sendall(json.dumps(answer).encode() + b"\\n")
"""


@pytest.fixture
def plan(tmp_path: Path) -> GatewayPlan:
    """What a gateway is told, with a folder of its own."""
    return GatewayPlan(
        settings=Settings(ports=7),
        options=Options(),
        interfaces=[],
        mac="02:00:0a:00:ff:fe",
        seed=3,
        folder=tmp_path,
        datapath="userspace",
    )


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that Python finds."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return "stand_in"


def test_a_controller_that_ends_before_it_listens_is_watched_and_not_awaited(
    plan: GatewayPlan, stand_in: str
) -> None:
    """Whoever waits for it learns its last words, also where no run ends with it."""
    (plan.folder / "stand_in.py").write_text("raise SystemExit('this controller has no licence')")
    watched: list[SupervisedProcess] = []
    controller = ControllerProcess(dataclasses.replace(plan, watch=watched.append), stand_in)

    assert watched == [
        SupervisedProcess(f"{plan.folder.name}'s controller", controller.process.pid, controller.log)
    ]
    for waiting in (controller.wait_listening, controller.wait_ready):
        with pytest.raises(GatewayError, match="has closed its telemetry: this controller has no licence"):
            waiting()
    assert not controller.is_ready
    controller.stop()


def test_a_controller_gets_its_configuration_and_answers_the_question_it_was_asked(
    plan: GatewayPlan, stand_in: str
) -> None:
    """Answers to others and events are passed over; two controllers never have one port."""
    elsewhere = plan.folder / "elsewhere"
    elsewhere.mkdir()
    one = ControllerProcess(plan, stand_in)
    other = ControllerProcess(dataclasses.replace(plan, folder=elsewhere), stand_in)
    try:
        one.wait_listening()
        one.wait_ready()

        assert (one.is_ready, one.framework) == (True, "none")
        assert one.ask(flush=True)["asked"]["flush"] is True
        assert one.gauges() == {"port": one.port}
        assert one.latest == {"port": one.port}
        assert one.port != other.port
        written = yaml.safe_load((plan.folder / "controller" / "controller.yaml").read_text())
        assert (written["seed"], written["settings"]["ports"]) == (3, 7)
    finally:
        one.stop()
        other.stop()

    assert one.process.poll() is not None
    assert one.log.read_text() == f"configured by {plan.folder}/controller/controller.yaml\n"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"no record\n", "JSONDecodeError: Expecting value"),
        (b"[1, 2]\n", "ValueError: a list in place of a record"),
        (b"[" * 200_000 + b"\n", "ValueError: a record that is nested too deeply"),
        (b'{"gauges": "many"}\n', "ValueError: gauges that are no numbers"),
        (b'{"gauges": {"tcp": {"ports_free": "all"}}}\n', "ValueError: gauges that are no numbers"),
        (b'{"gauges": {"ports_free": Infinity}}\n', "ValueError: Infinity in place of a number"),
        (b'{"ready": true, "framework": 7}\n', "ValueError: a framework without a name"),
        (b'{"ready": true}\n', "KeyError: 'framework'"),
        (b'{"at": "noon"}\n', "ValueError: a time that is no number"),
        (b"1" * 5000 + b"\n", "ValueError: Exceeds the limit"),
        (b"x" * (2 << 20), "ValueError: a line of more than 1 MiB"),
        (b"\xff\n", "UnicodeDecodeError"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_a_controller_that_sends_what_no_controller_sends_is_ended_with_the_reason(
    plan: GatewayPlan, stand_in: str, sent: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be a stranger's class in it: nobody waits on, and a run ends with the process."""
    monkeypatch.setattr(process, "MOST_LINE", 1 << 20)
    (plan.folder / "sent").write_bytes(sent)
    (plan.folder / "stand_in.py").write_text(f"""
import socket, sys, time

lab = socket.socket(fileno=int(sys.argv[3]))
lab.sendall(b'{{"listening": true}}\\n')
lab.recv(1)
lab.sendall(open({str(plan.folder / "sent")!r}, "rb").read())
time.sleep(600)
""")
    controller = ControllerProcess(plan, stand_in)
    controller.wait_listening()

    with pytest.raises(GatewayError, match=re.escape(f"sent what no controller sends: {reason}")):
        controller.ask()
    assert controller.process.wait() == -signal.SIGKILL
    assert not controller.is_ready


def test_answers_that_nobody_asked_for_are_not_kept(plan: GatewayPlan, stand_in: str) -> None:
    """They could fill the memory of the process that judges."""
    (plan.folder / "stand_in.py").write_text(
        """
import json, socket, sys

lab = socket.socket(fileno=int(sys.argv[3]))
for line in lab.makefile():
    lab.sendall(b'{"id": 5}\\n' * 1000 + b'{"id": 0, "gauges": {}}\\n' * 1000 + b'{"listening": true}\\n')
""".replace("\\\\n", "\\n")
    )
    controller = ControllerProcess(plan, stand_in)

    assert controller.ask() == {"id": 0, "gauges": {}}
    controller.wait_listening()
    assert controller._answers.qsize() == 0
    controller.stop()
