"""A controller that runs outside of the sandbox: what it has to know is written before it is connected to."""

from __future__ import annotations

import json
import runpy
import socket
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.run.choices import Choices
from testbed.run.folder import OF_STRANGERS, Folder
from testbed.run.outside import CONTROLLER, connected
from testbed.run.resolve import resolve
from tests.support.machines import free_port
from topologies.gateways.app import wiring


def plan(port: int) -> Run:
    """Return a run with a controller that listens at a port of this machine."""
    sets = [f"controller=tcp:127.0.0.1:{port}", "ports=16"]
    return resolve("port-exhaustion", "app", Choices(sets=sets), datapath="userspace")


def test_a_controller_outside_is_connected_to_and_finds_its_wiring(tmp_path: Path) -> None:
    """As JSON and as constants, with the network of the run. It listens where it says."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with connected(plan(port), Folder(tmp_path))[CONTROLLER] as connection:
            assert connection.getpeername() == server.getsockname()

    told = json.loads((tmp_path / OF_STRANGERS["wiring"]).read_text())
    constants = runpy.run_path(str(tmp_path / f"{wiring.MODULE}.py"))
    assert (told["lan_port"], told["wan_port"], told["next_hop"]) == (1, 2, "192.0.2.254")
    assert (told["first_port"], told["last_port"]) == (1024, 1039)
    assert (told["listen_host"], told["listen_port"]) == ("127.0.0.1", port)
    assert constants["UDP_TIMEOUT"] == told["udp_timeout"]


@pytest.mark.parametrize("name", ["wiring.json", "lastport_wiring.py"])
def test_a_file_of_the_user_s_own_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """An author keeps one for running without lastport. Ours are written anew."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for _ in range(2):
            connected(plan(port), Folder(tmp_path))[CONTROLLER].close()
        (tmp_path / name).write_text('{"lan_port": 1}')
        with pytest.raises(ConfigurationError, match=f"has {name} already; take another folder"):
            connected(plan(port), Folder(tmp_path))

    assert (tmp_path / name).read_text() == '{"lan_port": 1}'


def test_where_nothing_answers_the_wiring_is_there_and_the_sentence_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that the controller can be started with it, and the run again, into the same folder."""
    with free_port() as port, pytest.raises(ConfigurationError) as refused:
        connected(plan(port), Folder(tmp_path))

    path = tmp_path / "wiring.json"
    assert f"setting controller=tcp:127.0.0.1:{port}: nothing answers there (Connection refused)" in str(
        refused.value
    )
    assert f"LASTPORT_WIRING={path} PYTHONPATH={tmp_path} " in str(refused.value)
    assert path.is_file()
    assert str(path) in capsys.readouterr().err


def test_an_app_in_the_sandbox_has_nothing_outside(tmp_path: Path) -> None:
    """Its wiring is in the sandbox."""
    (tmp_path / "nat.py").write_text("import ryu\n")
    app = resolve("release", "app", Choices(sets=[f"app={tmp_path / 'nat.py'}"]), datapath="userspace")

    assert connected(app, Folder(tmp_path / "out")) == app.told_outside == {}


def test_a_controller_outside_is_one_nat(tmp_path: Path) -> None:
    """Of several NATs each would need a connection of its own, and another wiring."""
    sets = ["controller=tcp:127.0.0.1:6653"]

    with pytest.raises(ConfigurationError, match=r"topology 'carrier' has 3 NATs.*give the app itself"):
        resolve("two-nats", "app", Choices(sets=sets), datapath="userspace")


def test_a_controller_on_another_machine_listens_there() -> None:
    """Not at the loopback address of the sandbox, where the switch looks for an app."""
    sets = ["controller=tcp:192.0.2.9:6633"]
    told = resolve("release", "app", Choices(sets=sets), datapath="userspace").told_outside

    assert (told["listen_host"], told["listen_port"]) == ("192.0.2.9", 6633)
