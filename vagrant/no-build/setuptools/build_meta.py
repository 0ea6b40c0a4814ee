"""A build backend in the place of setuptools' own, which builds nothing: pip then only fetches a source.

pip asks a backend for a package's name before it keeps what it has fetched, and with setuptools that would execute
the package's own code. Here the name is read from `PKG-INFO`, which every source has.
"""

from __future__ import annotations

from pathlib import Path


class __legacy__:  # noqa: N801 # the name by which pip asks for it
    """What builds a package that names no backend."""

    @staticmethod
    def prepare_metadata_for_build_wheel(folder: str, _settings: object = None) -> str:
        """Write the metadata that pip asks for into a folder, and return the name of its own folder there."""
        facts = dict(line.split(": ", 1) for line in Path("PKG-INFO").read_text().splitlines() if ": " in line)
        name, version = facts["Name"], facts["Version"]
        made = Path(folder, f"{name}-{version}.dist-info")
        made.mkdir()
        (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return made.name
