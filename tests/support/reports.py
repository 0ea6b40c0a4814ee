"""Results as reports are made of them, and what every page and every result has to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from testbed.run.schema import MODELS, CannotRun, Part

CHECK = {
    "key": "established",
    "claim": "exactly 4 attempts are established",
    "expected": 4,
    "observed": 4,
    "ok": True,
    "source": "RFC 4787 REQ-3, RFC 7857 section 2",
}
VOID = {"meta", "link", "img", "br", "rect", "path", "circle"}
"""Elements that have no end."""


def a_run(**facts: Any) -> dict[str, Any]:
    """Return the results of a run, complete as far as the schema asks for it, with these facts."""
    run = {"schema": 1, "scenario": "port-exhaustion", "gateway": "openflow", "verdict": "pass"}
    return {**run, "started": "2026-01-02T03:04:05+00:00", "duration_s": 7.25, "checks": [CHECK], **facts}


def failed(claim: str = "no packet leaked", **facts: Any) -> dict[str, Any]:
    """Return a check that did not hold."""
    return {**CHECK, "key": claim, "claim": claim, "expected": 0, "observed": 3, "ok": False, **facts}


def require_conforming(told: dict[str, Any]) -> None:
    """Require that results match their schema, and have no key that the schema does not describe."""
    if "checks" in told:
        _require(MODELS["run"], told)
    elif "differences" in told:
        _require(MODELS["compare"], told)
        for run in told["runs"]:
            _require(CannotRun if run["verdict"] == "cannot" else MODELS["run"], run)
    elif "bench" in told:
        _require(MODELS["bench"], told)


def _require(model: type[Part], told: dict[str, Any]) -> None:
    model.model_validate(told, by_alias=True)
    described = {each.alias or name for name, each in model.model_fields.items()}
    assert set(told) <= described, f"docs/results.schema.json does not describe {sorted(set(told) - described)}"


@dataclass
class Page(HTMLParser):
    """A page as a browser without scripts sees it."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, text: str) -> Page:
        """Return a page that was read to its end."""
        page = cls()
        page.feed(text)
        page.close()
        page.mistakes += [f"{tag} is not closed" for tag in page._open]
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if len(dict(attrs)) < len(attrs):
            self.mistakes.append(f"{tag} has an attribute twice")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without an end."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an element, which has to be that of the last one that is open."""
        if not self._open or self._open.pop() != tag:
            self.mistakes.append(f"{tag} is closed, and is not the last that was opened")

    def handle_data(self, data: str) -> None:
        """Note a text, unless it is a style sheet."""
        if not self._open or self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that can be read."""
        return " ".join(" ".join(self.words).split())

    def having(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]
