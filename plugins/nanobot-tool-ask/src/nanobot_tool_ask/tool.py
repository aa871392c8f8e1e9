"""The tool ``ask_user``: puts a question to whoever started the turn."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nanobot.context import PluginContext
from nanobot.desk import Desk, Question
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn
from nanobot.tool import ToolRequest

from nanobot_tool_ask.config import AskConfig
from nanobot_tool_ask.plugin import MOST_CHOICES

MAX_QUESTION = 4000
MAX_LABEL = 64
MAX_DESCRIPTION = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    label: str
    description: str = ""


class AskTool:
    """Implements `nanobot.tool.Tool`.

    Args:
        desk: Puts the question.
        seconds: How long an answer is waited for.
    """

    def __init__(self, desk: Desk, seconds: float) -> None:
        self._desk = desk
        self._seconds = seconds

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Ask, and return what was answered; a question that nobody answers is withdrawn."""
        if request.name != "ask_user":
            return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")
        choices = _choices(request.arguments)
        question = Question(
            id=_id(request, turn),
            turn=turn,
            text=_text(request.arguments, choices),
            choices=tuple(choice.label for choice in choices),
        )
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._desk.ask(question)
        except TimeoutError:
            return ToolResult.error(
                "timeout",
                f"Nobody answered within {self._seconds / 60:.3g} minutes; the question is "
                "withdrawn. Go on without an answer, or say in yours what you need to know.",
            )
        return ToolResult.ok(answer.strip() or "(an answer without words)")


def _id(request: ToolRequest, turn: Turn) -> str:
    """Return what names a call across restarts; vendors may use an id of a call twice in a turn."""
    said = json.dumps(dict(request.arguments), sort_keys=True, default=str)
    return f"{turn.id}:{request.call_id}:{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def _text(given: Mapping[str, object], choices: tuple[_Choice, ...]) -> str:
    """Return the question; choices that are explained follow as a list, numbered as answered."""
    question = str(given.get("question", "")).strip()
    if not question or len(question) > MAX_QUESTION:
        raise ToolError(
            f"'question' must be a text of up to {MAX_QUESTION} characters.", kind="bad_argument"
        )
    if not any(choice.description for choice in choices):
        return question
    lines = (f"{n}. {c.label}: {c.description}".rstrip(": ") for n, c in enumerate(choices, 1))
    return "\n".join([question, "", *lines])


def _choices(given: Mapping[str, object]) -> tuple[_Choice, ...]:
    listed = given.get("choices") or ()
    if not isinstance(listed, list | tuple) or len(listed) > MOST_CHOICES:
        raise ToolError(
            f"'choices' must be a list of up to {MOST_CHOICES} answers.", kind="bad_argument"
        )
    choices = tuple(map(_choice, listed))
    if len({choice.label.casefold() for choice in choices}) < len(choices):
        raise ToolError("Two of the choices are the same.", kind="bad_argument")
    return choices


def _choice(given: object) -> _Choice:
    fields: Mapping[str, object] = given if isinstance(given, Mapping) else {"label": given}
    label, description = fields.get("label"), fields.get("description") or ""
    if not isinstance(label, str) or not 0 < len(label.strip()) <= MAX_LABEL:
        raise ToolError(
            f"A choice must be a text of 1 to {MAX_LABEL} characters, or an object whose 'label' "
            "is one; put more into its 'description'.",
            kind="bad_argument",
        )
    if not isinstance(description, str) or len(description) > MAX_DESCRIPTION:
        raise ToolError(
            f"A 'description' must be a text of up to {MAX_DESCRIPTION} characters.",
            kind="bad_argument",
        )
    return _Choice(label=label.strip(), description=" ".join(description.split()))


@asynccontextmanager
async def open_tool(config: AskConfig, context: PluginContext) -> AsyncIterator[AskTool]:
    """Open the tool."""
    yield AskTool(context.desk, config.wait_minutes * 60)
