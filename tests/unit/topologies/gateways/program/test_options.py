"""What a user says of a program: its command and placeholders, and the sentences for what cannot be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from topologies.gateways.program import options
from topologies.gateways.program.options import ProgramOptions


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (None, "needs its command: --set program='./nat {inside} {outside} {external}'"),
        ("", "needs its command"),
        ("./nat {inside}", "there is no program './nat' that could be executed"),
        ("nat.py {inside}", "there is no program"),
        ("sleep {insid}", r"nothing is known by the name {insid}; take {inside}, {outside}, {external}"),
        ("sleep {}", r"nothing is known by the name {}"),
        ("sleep {inside", "write {{ for a literal brace"),
        ("sleep 'a", 'setting program="sleep \'a": No closing quotation'),
    ],
)
def test_what_cannot_be_started_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, words: str
) -> None:
    """Before anything starts. A file that is not executable is no program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nat.py").write_text("")

    with pytest.raises(ConfigurationError) as refused:
        options.check(ProgramOptions(program=program))

    assert words in str(refused.value)


def test_a_command_is_started_by_whole_paths_with_its_placeholders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has another working folder. A program without a folder is one of the system's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nat.conf").write_text("")
    chosen = ProgramOptions(program="sh nat.conf -i {inside}:{first_port} {{}}")

    options.check(chosen)
    shell, *rest = options.command(chosen)

    assert shell in ("/usr/bin/sh", "/bin/sh")
    assert rest == [str(tmp_path / "nat.conf"), "-i", "{inside}:{first_port}", "{{}}"]
