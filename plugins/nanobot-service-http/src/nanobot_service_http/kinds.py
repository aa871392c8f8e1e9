"""Opens the kind ``web``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl, hookspec
from nanobot.specs import KindSpec

from nanobot_service_http.specs import WebSpec


class Hooks:
    """Extension point ``web``."""

    @hookspec
    def nanobot_web(self) -> Iterable[WebSpec]:  # type: ignore[empty-body]
        """Return apps for the gateway's HTTP server. Entry-point group ``nanobot.v1.web``."""


@hookimpl
def nanobot_kinds() -> Iterable[KindSpec]:
    """Open the kind."""
    yield KindSpec(name="web", hookspecs=Hooks, spec=WebSpec, title="Web apps")
