"""The sentences of the offline provider."""

from __future__ import annotations

import re
from collections.abc import Mapping

SETUP = (
    "For a real model, install a provider and set its key, for example "
    "`pip install nanobot-provider-openai` and `export OPENAI_API_KEY=...`, "
    "or run `nanobot onboard`."
)

_NATURE = (
    "I am nanobot's offline stand-in, not a language model: I know a few phrases and need neither "
    "network nor key."
)

_LONGEST_QUOTE = 2_000

_PHRASES = (
    ("list_dir", "`list files` looks into the workspace with a tool"),
    ("read_file", "`read README.md` shows a file"),
    ("exec", "`run: date` runs a command"),
    ("edit_file", "`remember that I like tea` writes it into your memory"),
    ("", "`what do you remember` reads it back"),
    ("", "`what is 12*7` does a sum"),
    ("", "`what time is it` tells the time"),
    ("", "`/help`, `/status` and `/new` are slash commands: they need no model at all"),
)


def greeting(tools: Mapping[str, object]) -> str:
    """Return the answer to a greeting."""
    return f"Hello! {_NATURE} Try one of these:\n\n{_phrases(tools)}\n\n{SETUP}"


def abilities(tools: Mapping[str, object]) -> str:
    """Return what the provider can do with the tools at hand."""
    return f"{_NATURE} This is what I understand:\n\n{_phrases(tools)}\n\n{SETUP}"


def beyond_me() -> str:
    """Return the answer to everything else."""
    return f"That is beyond me. {_NATURE} Say `help` to see them.\n\n{SETUP}"


def without_tool(distribution: str) -> str:
    """Return the answer when the tool for a phrase is not there."""
    return f"I have no tool for that here; it comes with `pip install {distribution}`."


def failed(what: str) -> str:
    """Return the answer when a tool reported an error."""
    return f"That did not work:\n\n{quoted(what)}"


def quoted(text: str) -> str:
    """Return a text as a block of its own, shortened, whatever it holds."""
    shown = text.strip()
    if len(shown) > _LONGEST_QUOTE:
        shown = shown[:_LONGEST_QUOTE] + "\n..."
    longest = max((len(run) for run in re.findall(r"`{3,}", shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{shown}\n{fence}"


def _phrases(tools: Mapping[str, object]) -> str:
    return "\n".join(f"- {line}" for tool, line in _PHRASES if not tool or tool in tools)
