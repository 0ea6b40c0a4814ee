"""Stories: text that is made from facts by a Jinja2 template."""

from __future__ import annotations

from typing import Any

import jinja2


def told(template: str, **facts: Any) -> str:
    """Return the text of a template, filled with facts. Its filter `n` writes a number with commas."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["n"] = "{:,}".format
    return environment.from_string(template).render(facts).strip()
