"""The build of Ryu executes what was fetched, and has no right and no secret of root's."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PYTHON = """#!/bin/sh
{ id -u; id -G; grep NoNewPrivs /proc/self/status; env; } >asked
ln -s /etc/shadow ryu-0-py3-none-any.whl
touch ryu-4.34-py3-none-any.whl
"""
"""What stands in the place of the Python that builds: it notes how it was started, and leaves two files."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
def test_under_root_a_user_without_rights_builds_in_an_empty_environment() -> None:
    """A link that the build leaves in the place of a wheel is not followed."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        for name in ("ryu/bin", "ryu-source", "store"):
            Path(folder, name).mkdir(parents=True)
        python = Path(folder, "ryu", "bin", "python")
        python.write_text(PYTHON)
        python.chmod(0o755)
        script = f"""
            . {ROOT}/vagrant/make-environment.sh
            building={folder}
            build_wheel {folder}/ryu {folder}/ryu-source
            keep_wheel {folder}/ryu-source {folder}/store
        """
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "PIP_INDEX_URL": "secret"}
        subprocess.run(["bash", "-euc", script], env=environment, check=True)
        user, groups, no_new, *variables = Path(folder, "ryu-source", "asked").read_text().splitlines()

        assert (user, groups, no_new) == ("65534", "65534", "NoNewPrivs:\t1")
        assert f"HOME={folder}/ryu-source" in variables
        assert "secret" not in "".join(variables)
        assert os.listdir(Path(folder, "store")) == ["ryu-4.34-py3-none-any.whl"]
