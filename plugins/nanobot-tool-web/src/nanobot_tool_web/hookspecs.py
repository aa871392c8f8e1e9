"""The hooks of the extension points."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookspec

from nanobot_tool_web.specs import FetchSpec, SearchSpec

# The functions have no bodies: pluggy takes them as signatures, which mypy calls empty.


class Search:
    """Extension point ``search``."""

    @hookspec
    def nanobot_search(self) -> Iterable[SearchSpec]:  # type: ignore[empty-body]
        """Return search engines. Entry-point group ``nanobot.v1.search``."""


class Fetch:
    """Extension point ``fetch``."""

    @hookspec
    def nanobot_fetch(self) -> Iterable[FetchSpec]:  # type: ignore[empty-body]
        """Return readers of pages. Entry-point group ``nanobot.v1.fetch``."""
