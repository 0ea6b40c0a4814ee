"""Where the repository is: tests find its files from here, however deep their own folder lies."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
