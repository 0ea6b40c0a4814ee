"""Sources with links: each RFC that a text names leads to the RFC Editor, the one site that a report links to."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

SITE = "https://www.rfc-editor.org/rfc/"
RFC = re.compile(r"\bRFC (\d{1,5})(?: section (\d+(?:\.\d+)*))?", re.ASCII)


def linked(text: str) -> Markup:
    """Return a text for a page, in which each RFC is a link, to its section if one is named."""
    parts, at = [], 0
    for found in RFC.finditer(text):
        section = f"#section-{found[2]}" if found[2] else ""
        parts += [escape(text[at : found.start()]), _link(f"{SITE}rfc{int(found[1])}{section}", found[0])]
        at = found.end()
    return Markup("").join([*parts, escape(text[at:])])


def _link(address: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)
