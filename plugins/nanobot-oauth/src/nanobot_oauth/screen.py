"""What a sign-in shows to the user, and asks."""

from __future__ import annotations

from typing import Protocol


class Screen(Protocol):
    """Whoever talks to the user: a terminal, a page."""

    def show(self, address: str, *, code: str = "") -> None:
        """Ask the user to open an address, and to enter a code there if one is given."""
        ...

    async def pasted(self) -> str:
        """Ask for the address at which the browser ended, and return it."""
        ...
