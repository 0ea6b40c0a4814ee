"""`--web` in a real run: a viewer gets the recording byte by byte, and nothing is left when the run is over."""

from __future__ import annotations

import gzip
import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

from tests.emulation.conftest import SMALL, Run, Start


def test_a_viewer_gets_what_is_recorded(start: Start, before: dict[str, Any], tmp_path: Path) -> None:
    """From the first byte to the last, while the run goes on; then the server is gone."""
    process = start("run", "port-exhaustion", *SMALL, "--out", "out", "--web", "--web-port", "0")
    assert process.stderr is not None
    url = next(word for line in process.stderr for word in line.split() if word.startswith("http://"))
    with urllib.request.urlopen(f"{url}recordings", timeout=600) as listed:
        rows = next(row for line in listed if line.startswith(b"data:") and (row := json.loads(line[5:])))
    assert rows[0]["live"]
    with urllib.request.urlopen(f"{url}recordings/{rows[0]['key']}", timeout=600) as stream:
        seen = stream.read()
    process.communicate(timeout=600)

    assert seen == gzip.decompress((tmp_path / "out" / "recording.gz").read_bytes())


def test_a_port_that_is_taken_ends_the_command_before_it_has_made_anything(run: Run, tmp_path: Path) -> None:
    """With the status of a wrong command, and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        finished = run("run", "port-exhaustion", *SMALL, "--web-port", str(other.getsockname()[1]))

    assert finished.status == 2
    assert "any that is free with --web-port 0" in finished.complaints
    assert not (tmp_path / "runs").exists()
