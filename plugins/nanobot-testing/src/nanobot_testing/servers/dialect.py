"""What a dialect's server must be able to say, so that one contract tests every dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nanobot_testing.servers.wire import Act, Reply, Request


class Dialect(Protocol):
    """A scripted server of one dialect; see the implementations beside this file."""

    requests: list[Request]

    @property
    def base_url(self) -> str: ...

    def reply(self, *replies: Reply) -> None:
        """Queue answers."""
        ...

    def text(self, *pieces: str | Act, finish: str = "stop") -> Reply:
        """Stream an answer in pieces; finish is ``stop``, ``length`` or ``content_filter``."""
        ...

    def tools(self, *calls: tuple[str, str], split: int = 0, text: str = "") -> Reply:
        """Stream tool calls given as (name, arguments text), arguments in pieces of ``split``."""
        ...

    def thinking(self, reasoning: Sequence[str], text: str) -> Reply:
        """Stream reasoning, then an answer."""
        ...

    def failure(self, case: str, *, retry_after: float | None = None) -> Reply:
        """Refuse: auth, quota, rate_limit, overload, context, bad_request, filtered, garbage."""
        ...

    def tool_results(self, request: Request) -> dict[str, str]:
        """Return the tool results that a request carried back, text by call id."""
        ...
