"""Talks to the user of a sign-in: at a terminal, and in a browser where there is one."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser

import click


class Terminal:
    """Shows addresses and codes; implements `nanobot_oauth.screen.Screen`.

    Args:
        opens: Open addresses in a browser too.
    """

    def __init__(self, *, opens: bool) -> None:
        self._opens = opens

    def show(self, address: str, *, code: str = "") -> None:
        """Print an address, and the code to enter there."""
        click.echo(f"Open this address in a browser:\n\n  {address}\n", err=True)
        if code:
            click.echo(f"and enter the code:\n\n  {code}\n", err=True)
        if self._opens and has_browser():
            webbrowser.open(address)

    async def pasted(self) -> str:
        """Ask for the address at which the browser ended."""
        question = "Paste the address at which the browser ended (its page may show an error)"
        return str(await asyncio.to_thread(click.prompt, question, err=True))


def has_browser() -> bool:
    """Tell whether a browser with windows can be opened; one in the terminal is in the way."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
