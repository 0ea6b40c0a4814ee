"""Text made from facts: a Jinja2 template, filled."""

from __future__ import annotations

from typing import Any

import jinja2


def told(template: str, **facts: Any) -> str:
    """Return a template's text, filled with the facts. The filter `n` writes a number with commas."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["n"] = "{:,}".format
    return environment.from_string(template).render(facts).strip()
