"""Reads a page of results."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

from nanobot_tool_web.engine import Hit

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
_HOME = "https://duckduckgo.com/"


class Page(HTMLParser):
    """A page of results.

    Each result is an element of class ``result``, advertisements are of class ``result--ad`` too.
    Within it are a link of class ``result__a`` and a text of class ``result__snippet``.

    Attributes:
        hits: The results, without advertisements.
        is_list: It is a page of results, be it an empty one.
        is_challenge: It asks whether a person is there.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.hits: list[Hit] = []
        self.is_list = False
        self.is_challenge = False
        self._url = ""
        self._texts: dict[str, list[str]] = {"title": [], "snippet": []}
        self._part = ""
        self._depth = 0
        self._skipping = False
        self.feed(source)
        self.close()
        self._finish()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._part and tag not in _VOID:
            self._depth += 1
        found = {name: value or "" for name, value in attrs}
        classes = found.get("class", "").split()
        if any(name.startswith("anomaly") for name in classes):
            self.is_challenge = True
        if found.get("id") == "links" or "no-results" in classes:
            self.is_list = True
        if "result" in classes:
            self._finish()
            self._skipping = "result--ad" in classes
        if self._skipping or self._part:
            return
        if "result__a" in classes:
            self._url, self._part, self._depth = found.get("href", ""), "title", 1
        elif "result__snippet" in classes:
            self._part, self._depth = "snippet", 1

    def handle_endtag(self, tag: str) -> None:
        if self._part and tag not in _VOID:
            self._depth -= 1
            if self._depth <= 0:
                self._part = ""

    def handle_data(self, data: str) -> None:
        if self._part:
            self._texts[self._part].append(data)

    def _finish(self) -> None:
        if self._url:
            title, snippet = ("".join(self._texts[part]) for part in ("title", "snippet"))
            self.hits.append(Hit(title=title, url=_target(self._url), snippet=snippet))
        self._url, self._part = "", ""
        self._texts = {"title": [], "snippet": []}


def _target(link: str) -> str:
    """Return where a link leads; DuckDuckGo's own detour carries that in ``uddg``."""
    parts = urlsplit(urljoin(_HOME, link))
    if (parts.hostname or "").endswith("duckduckgo.com") and parts.path == "/l/":
        return parse_qs(parts.query).get("uddg", [""])[0]
    return parts.geturl()
