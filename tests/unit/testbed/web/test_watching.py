"""The server beside a run: it ends with the run, and whatever becomes of it costs the run nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.web.listening import PORT, VARIABLE, listen
from testbed.web.watching import Web
from tests.support.processes import awaited


def test_a_run_can_be_watched_until_it_is_over() -> None:
    """A viewer gets the whole of it, and the server is gone when the block ends."""
    with Web(listen(port=0)) as web:
        watched = web.begin("a run", {"settings": {"ports": 256}})
        watched.write(b"one ")
        key = _key(web.url)
        stream = urllib.request.urlopen(f"{web.url}recordings/{key}", timeout=60)
        assert stream.read(4) == b"one "
        assert b'"ports":256' in urllib.request.urlopen(f"{web.url}recordings/{key}/about", timeout=60).read()
        watched.write(b"two")
        watched.close()
    assert stream.read() == b"two"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(web.url, timeout=60)


def test_a_network_may_have_any_number_of_hosts() -> None:
    """What is known of them is larger than any message between two processes."""
    hosts = {f"10.{number >> 8}.{number & 255}.1": f"client{number}" for number in range(1 << 16)}
    with Web(listen(port=0)) as web:
        web.begin("a run", {"hosts": hosts})
        about = urllib.request.urlopen(f"{web.url}recordings/{_key(web.url)}/about", timeout=60)
        assert json.load(about) == {"hosts": hosts}


def test_a_run_goes_on_if_its_server_is_killed() -> None:
    """Nothing that the launcher has of it waits or raises."""
    with Web(listen(port=0)) as web:
        os.kill(web.process_id, signal.SIGKILL)
        watched = web.begin("a run", {})
        for _ in range(100):
            watched.write(bytes(1 << 16))
        watched.close()
        web.begin("another", {}).close()


def test_a_run_goes_on_if_its_server_stands_still() -> None:
    """It takes part in nothing, and is ended with the block."""
    with Web(listen(port=0)) as web:
        os.kill(web.process_id, signal.SIGSTOP)
        for number in range(300):
            watched = web.begin(f"run {number}", {"text": "x" * 4000})
            watched.write(bytes(1 << 10))
            watched.close()


def test_the_server_is_not_one_of_the_programs_that_ctrl_c_ends() -> None:
    """Its viewers still see the end of a run that was interrupted."""
    with Web(listen(port=0)) as web:
        assert os.getsid(web.process_id) == web.process_id != os.getsid(0)


def test_a_port_that_is_taken_is_refused_before_anything_starts() -> None:
    """The message names the option and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"--web-port {port}: Address already in use.*--web-port 0"):
            listen(port=port)


@pytest.mark.parametrize("address", ["", "localhost", "192.0.2.0/24", "300.1.1.1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """A name may have several addresses, and not all of them are this machine's alone."""
    with pytest.raises(ConfigurationError, match=r"--web-address .* is no IP address"):
        listen(address)


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_the_url_leads_to_the_socket(address: str, host: str) -> None:
    """One on all addresses is at the loopback address as well, which Vagrant forwards to."""
    listener = listen(address, 0, token="x")
    with listener.socket:
        assert listener.url == f"http://{host}:{listener.socket.getsockname()[1]}/x/"


def test_tokens_are_long_and_not_the_same() -> None:
    """They have 128 random bits."""
    made = [listen(port=0) for _ in range(3)]
    for each in made:
        each.socket.close()

    assert len({each.token for each in made}) == 3
    assert all(len(each.token) >= 22 for each in made)


def _key(url: str) -> str:
    def listed() -> str:
        with urllib.request.urlopen(f"{url}recordings", timeout=60) as answer:
            for line in answer:
                if line.startswith(b"data: [{"):
                    return str(line.split(b'"key": "')[1].split(b'"')[0].decode())
        return ""

    return str(awaited(listed, "the list of recordings"))


def test_a_machine_names_the_address_that_is_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL is one for a browser on the other side of a forwarded port, and the option still decides."""
    monkeypatch.setenv(VARIABLE, "0.0.0.0")
    everywhere, here = listen(port=0), listen("127.0.0.1", port=0)
    with everywhere.socket, here.socket:
        assert everywhere.socket.getsockname()[0] == "0.0.0.0"
        assert everywhere.url.startswith("http://127.0.0.1:")
        assert here.socket.getsockname()[0] == "127.0.0.1"
    monkeypatch.setenv(VARIABLE, "nowhere")
    with pytest.raises(ConfigurationError, match=f"{VARIABLE} 'nowhere' is no IP address"):
        listen(port=0)


def test_the_virtual_machine_serves_where_its_forwarded_port_leads() -> None:
    """What is forwarded comes in at its own address; sudo keeps the variable that says so."""
    told = (Path(__file__).parents[4] / "Vagrantfile").read_text()

    assert re.findall(r'"forwarded_port", guest: (\d+), host: (\d+), host_ip: "127.0.0.1"', told) == [
        (str(PORT), str(PORT))
    ]
    assert f"{VARIABLE}=0.0.0.0 >>/etc/environment" in told
    assert f'env_keep += "{VARIABLE}"' in told
