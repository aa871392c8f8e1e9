"""The contract of an enricher: what makes more of a message before the agent reads it."""

from __future__ import annotations

from typing import Protocol

from nanobot.messages import Part


class Enricher(Protocol):
    """What a plugin of kind ``enrichers`` opens; speech to text is one."""

    def wants(self, parts: tuple[Part, ...]) -> bool:
        """Tell whether there is something in a message for it; must not block."""
        ...

    async def enrich(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Return the parts with what it has made of them; never raises for bad content."""
        ...
