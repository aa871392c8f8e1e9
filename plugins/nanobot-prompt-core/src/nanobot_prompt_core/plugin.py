"""Registers the prompt sections."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.specs import PromptSpec

_PROMPTS = "nanobot_prompt_core.sections"


@hookimpl
def nanobot_prompts() -> Iterable[PromptSpec]:
    """Return the prompt sections that every instance has."""
    return (
        PromptSpec(name="identity", factory=f"{_PROMPTS}:open_identity", order=0),
        PromptSpec(
            name="agents", factory=f"{_PROMPTS}:open_file", order=10, options={"file": "AGENTS.md"}
        ),
        PromptSpec(
            name="soul", factory=f"{_PROMPTS}:open_file", order=20, options={"file": "SOUL.md"}
        ),
        PromptSpec(
            name="user", factory=f"{_PROMPTS}:open_file", order=30, options={"file": "USER.md"}
        ),
        PromptSpec(
            name="memory",
            factory=f"{_PROMPTS}:open_file",
            order=40,
            options={"file": "memory/MEMORY.md"},
        ),
        PromptSpec(name="time", factory=f"{_PROMPTS}:open_time", order=0, placement="turn"),
    )
