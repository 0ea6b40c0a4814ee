"""Write the pages of `docs/` that are made from the code: `python docs/generate.py`."""

from __future__ import annotations

from pathlib import Path

import jinja2

from controller.nat.tcp import TIMERS, TRANSITIONS, TcpState

DOCS = Path(__file__).parent


def pages() -> dict[str, str]:
    """Return the text of each generated page, by its file's name."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    tcp = environment.get_template("tcp.md.j2")
    return {"tcp.md": tcp.render(states=list(TcpState), transitions=TRANSITIONS, timers=TIMERS)}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
