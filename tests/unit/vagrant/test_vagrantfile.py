"""The Vagrantfile as Ruby reads it: its boxes, with LASTPORT_BOX and without. No Vagrant is needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.support.paths import ROOT

READER = """
require "json"
class Asked
  def initialize(seen, path) = (@seen, @path = seen, path)
  def method_missing(name, *given, &block)
    key = [*@path, name.to_s.delete_suffix("=")]
    if name.end_with?("=") then @seen[key.join(".")] = given.first
    elsif name == :provider then block.call(*Array.new(block.arity) { Asked.new(@seen, given) })
    else Asked.new(@seen, key) end
  end
  def respond_to_missing?(*) = true
  def []=(*)
  end
end
module Vagrant
  def self.configure(_) = (yield Asked.new($seen = {}, []))
end
load "Vagrantfile"
puts JSON.generate($seen)
"""
"""Vagrant's part: it keeps what is assigned, under the provider's name where that is for one."""

PINNED = {
    "vm.box": "bento/debian-12",
    "vm.box_version": "202510.26.0",
    "libvirt.vm.box": "debian/bookworm64",
    "libvirt.vm.box_version": "12.20250126.1",
}


def read(box: str | None) -> dict[str, object]:
    """Return what the Vagrantfile sets."""
    if not shutil.which("ruby"):
        pytest.skip("ruby is not here: apt-get install ruby")
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"} | ({} if box is None else {"LASTPORT_BOX": box})
    command = ["ruby", "-e", READER]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    seen: dict[str, object] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("box", [None, ""])
def test_each_provider_has_a_box_of_one_version(box: str | None) -> None:
    """One that was there when it was pinned; an empty variable is none."""
    seen = read(box)

    assert {key: value for key, value in seen.items() if ".box" in key} == PINNED


def test_one_file_is_the_box_of_every_provider() -> None:
    """By its name, so that a later build is another box; a version is only of boxes from a catalogue."""
    seen = read("boxes/lastport-1.2.box")

    where = str(ROOT / "boxes" / "lastport-1.2.box")
    for of in ("", "libvirt."):
        assert seen[f"{of}vm.box"] == "lastport-1.2"
        assert seen[f"{of}vm.box_url"] == where
        assert f"{of}vm.box_version" not in seen


def test_every_provider_gets_what_a_lab_needs() -> None:
    """Two processors and 2 GB."""
    seen = read(None)

    assert {seen[f"{each}.cpus"] for each in ("virtualbox", "parallels", "libvirt")} == {2}
    assert {seen[f"{each}.memory"] for each in ("virtualbox", "parallels", "libvirt")} == {2048}


def test_the_page_about_it_names_the_same_boxes() -> None:
    """Each with its version."""
    page = (ROOT / "docs" / "how" / "vagrant.md").read_text()

    for name, version in zip(*[iter(PINNED.values())] * 2, strict=True):
        assert re.search(rf"`{name}` {re.escape(version)}\b", page), name
        assert f'"{name}", "{version}"' in (ROOT / "Vagrantfile").read_text()


def test_a_copy_into_the_machine_leaves_what_students_made_there() -> None:
    """Vagrant's copy deletes what the laptop's folder does not have, but for these."""
    (kept,) = re.findall(r"rsync__exclude: \[(.*)\]", (ROOT / "Vagrantfile").read_text())

    assert json.loads(f"[{kept}]") == ["runs/", "/lab-*/", "*.box"]


def test_what_it_tells_to_type_works_in_every_shell() -> None:
    """Windows' cmd.exe knows no single quotes."""
    commands = re.findall(r"vagrant ssh -c .*", (ROOT / "Vagrantfile").read_text())

    assert len(commands) == 2
    for command in commands:
        assert re.fullmatch(r'vagrant ssh -c "[^"$]+"( -- -T \| tar -xf -)?', command)
