"""Who answers a message, where it is not the agent as configured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Who answers, where it is not the agent as configured: a named agent, a kind of subagent.

    Args:
        name: What it is called; the turn carries it, so that prompts can tell.
        preset: Model preset, empty for the default; one that the session chose goes before it.
        tools: Names of the tools that it may use, with ``*`` for any text; those that begin with
            ``!`` it may not. Without any of the former it may use all others.
        instructions: What its system prompt says last.
        skills: Names of the skills that its prompt holds from the start.
        workspace: Root for its tools in place of the instance's.
        max_iterations: Model calls in a turn, None for the configured number.
    """

    name: str
    preset: str = ""
    tools: tuple[str, ...] = ()
    instructions: str = ""
    skills: tuple[str, ...] = ()
    workspace: Path | None = None
    max_iterations: int | None = None
