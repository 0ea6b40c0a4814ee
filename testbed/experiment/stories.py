"""Stories: text that is made from facts by a Jinja2 template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2


def readable(story: str | Path) -> jinja2.Template:
    """Return a story's template. Its filter `n` writes a number with commas. Raises what reading it raises."""
    import jinja2  # deciding about a run of one of ours does without

    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["n"] = "{:,}".format
    return environment.from_string(story.read_text() if isinstance(story, Path) else story)


def told(story: str | Path, **facts: Any) -> str:
    """Return the text of a story, filled with facts."""
    return readable(story).render(facts).strip()
