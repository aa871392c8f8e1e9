"""Put the questions of a server (elicitation) to whoever started the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mcp import types
from mcp.client import ClientRequestContext
from nanobot.desk import Desk, NoDesk, Question
from nanobot.errors import ToolError

from nanobot_tool_mcp.call import Call
from nanobot_tool_mcp.catalog import clean

MAX_FIELDS = 8
MAX_TRIES = 3
SKIP, DECLINE = "Skip", "Decline"
_YES, _NO = ("yes", "true", "y", "1"), ("no", "false", "n", "0")

Value = str | int | float | bool | list[str]


def can_ask(desk: Desk) -> bool:
    """Tell whether a host puts questions to people at all."""
    return type(desk).ask is not NoDesk.ask


@dataclass(kw_only=True, slots=True)
class _Running:
    call: Call
    limit: asyncio.Timeout
    seconds: float
    asked: int = 0


class Declined(Exception):
    """Report that the person does not want to answer."""


class Asker:
    """Answers the questions of one server; declines those that belong to no single call."""

    def __init__(self, server: str, desk: Desk) -> None:
        self._server = server
        self._desk = desk
        self._running: list[_Running] = []

    @contextmanager
    def during(self, call: Call, limit: asyncio.Timeout, seconds: float) -> Iterator[None]:
        """Let questions belong to a call; the time that a person takes does not count."""
        running = _Running(call=call, limit=limit, seconds=seconds)
        self._running.append(running)
        try:
            yield
        finally:
            self._running.remove(running)

    async def __call__(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        """Return what the person answered; implements the SDK's `ElicitationFnT`."""
        if len(self._running) != 1:
            return types.ElicitResult(action="decline")
        (running,) = self._running
        running.limit.reschedule(None)
        try:
            if isinstance(params, types.ElicitRequestURLParams):
                await self._choose(running, f"{params.message}\n{params.url}", ("Done",))
                return types.ElicitResult(action="accept")
            schema = params.requested_schema
            return types.ElicitResult(
                action="accept", content=await self._form(running, params.message, schema)
            )
        except (Declined, ToolError):
            return types.ElicitResult(action="decline")
        finally:
            if running in self._running:
                running.limit.reschedule(asyncio.get_running_loop().time() + running.seconds)

    async def _form(
        self, running: _Running, message: str, schema: Mapping[str, Any]
    ) -> dict[str, str | int | float | bool | list[str] | None]:
        fields = schema.get("properties", {})
        if len(fields) > MAX_FIELDS:
            raise Declined
        if not fields:
            await self._choose(running, message, ("Accept",))
        required = schema.get("required") or ()
        content: dict[str, str | int | float | bool | list[str] | None] = {}
        for name, field in fields.items():
            value = await self._field(running, message, (name, field), name in required)
            if value is not None:
                content[name] = value
        return content

    async def _field(
        self, running: _Running, message: str, named: tuple[str, Mapping[str, Any]], needed: bool
    ) -> Value | None:
        name, field = named
        options = _options(field)
        default = field.get("default")
        text = f"{message}\n{field.get('title') or name}"
        if field.get("description"):
            text += f": {field['description']}"
        if default is not None:
            text += f" ({SKIP} takes {default!r})"
        skip = () if needed and default is None else (SKIP,)
        many = field.get("type") == "array"
        for _ in range(MAX_TRIES):
            choices = (*(() if many else options), *skip)
            answer = await self._choose(running, text, choices)
            if skip and answer.casefold() == SKIP.casefold():
                return default
            try:
                return _value(field, options, answer)
            except ValueError as error:
                text = f"{error}\n{text}"
        raise Declined

    async def _choose(self, running: _Running, text: str, choices: tuple[str, ...]) -> str:
        running.asked += 1
        turn, id = running.call.turn, running.call.id
        question = Question(
            id=f"{turn.id}:{id}:{running.asked}",
            turn=turn,
            text=f"The MCP server {self._server!r} asks: {clean(text)}",
            choices=(*choices, DECLINE),
        )
        answer = (await self._desk.ask(question)).strip()
        if answer.casefold() == DECLINE.casefold():
            raise Declined
        return answer


def _options(field: Mapping[str, Any]) -> dict[str, str]:
    """Return what may be chosen: the words for people, and the values for the server."""
    if field.get("type") == "boolean":
        return {"Yes": "yes", "No": "no"}
    if field.get("type") == "array":
        return _options(field.get("items") or {})
    titled = field.get("oneOf") or field.get("anyOf")
    if isinstance(titled, list):
        return {str(one.get("title", one.get("const"))): str(one.get("const")) for one in titled}
    values = [str(value) for value in field.get("enum") or ()]
    names = [str(name) for name in field.get("enumNames") or values]
    return dict(zip(names, values, strict=False))


def _value(field: Mapping[str, Any], options: Mapping[str, str], answer: str) -> Value:
    """Return an answer as the server wants it; raises ValueError in words for the person."""
    kind = field.get("type")
    if kind == "boolean":
        if answer.casefold() not in (*_YES, *_NO):
            raise ValueError("Please answer yes or no.")
        return answer.casefold() in _YES
    if kind in ("integer", "number"):
        return _number(field, answer)
    if kind == "array":
        return [_chosen(options, one.strip()) for one in answer.split(",") if one.strip()]
    if options:
        return _chosen(options, answer)
    least, most = field.get("minLength", 0), field.get("maxLength", len(answer))
    if not least <= len(answer) <= most:
        raise ValueError(f"Please answer with {least} to {most} characters.")
    return answer


def _number(field: Mapping[str, Any], answer: str) -> int | float:
    whole = field.get("type") == "integer"
    try:
        number = int(answer) if whole else float(answer)
    except ValueError:
        raise ValueError(f"Please answer with a {'whole ' if whole else ''}number.") from None
    least, most = field.get("minimum", number), field.get("maximum", number)
    if not least <= number <= most:
        raise ValueError(f"Please answer with a number from {least} to {most}.")
    return number


def _chosen(options: Mapping[str, str], answer: str) -> str:
    for name, value in options.items():
        if answer.casefold() in (name.casefold(), value.casefold()):
            return value
    raise ValueError(f"Please answer with one of: {', '.join(options)}.")
