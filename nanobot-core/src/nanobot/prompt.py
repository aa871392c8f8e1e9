"""The contract of a prompt section."""

from __future__ import annotations

from typing import Protocol

from nanobot.messages import Turn


class Prompt(Protocol):
    """What a `PromptSpec` factory opens."""

    async def render(self, turn: Turn) -> str:
        """Return the section's text, empty for none.

        A section with placement ``system`` returns the same bytes from turn to turn unless what it
        describes has changed; otherwise every turn pays for the whole prompt again.
        """
        ...
