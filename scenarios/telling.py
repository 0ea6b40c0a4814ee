"""Text made from facts: the templates of `scenarios/stories`."""

from __future__ import annotations

from typing import Any

import jinja2


def told(template: str, **facts: Any) -> str:
    """Return a template's text, filled with the facts."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scenarios", "stories"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["n"] = "{:,}".format
    return environment.get_template(template).render(facts).strip()
