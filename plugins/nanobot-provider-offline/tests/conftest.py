"""What the tests of the offline provider share: a request, and a turn with simple tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import (
    AssistantMessage,
    Message,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import ModelEvent, ModelFinish, ModelRequest, ModelText, Segment
from nanobot.specs import ToolDefinition
from nanobot_testing import load_spec, open_spec, run


def _tool(name: str, *arguments: str) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        description=f"The tool {name} of a test.",
        parameters={"type": "object", "properties": {a: {"type": "string"} for a in arguments}},
    )


TOOLS = (
    _tool("list_dir", "path"),
    _tool("read_file", "path", "force"),
    _tool("edit_file", "path", "old_text", "new_text", "line_hint"),
    _tool("exec", "command"),
)


class Tools:
    """Files in a folder, with the manners of the file tools; commands are only noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, call: ToolCall) -> ToolResult:
        arguments = json.loads(call.arguments)
        self.calls.append((call.name, arguments))
        result: ToolResult = getattr(self, f"_{call.name}")(**arguments)
        return result

    def _list_dir(self, path: str) -> ToolResult:
        return ToolResult.ok("\n".join(sorted(p.name for p in (self.folder / path).iterdir())))

    def _read_file(self, path: str, force: bool = False) -> ToolResult:
        file = self.folder / path
        if not file.exists():
            return ToolResult.error("not_found", f"{path} does not exist.")
        lines = file.read_text().splitlines()
        if not lines:
            return ToolResult.ok(f"(Empty file: {path})")
        numbered = "\n".join(f"{number}| {line}" for number, line in enumerate(lines, 1))
        return ToolResult.ok(f"{numbered}\n\n(End of file — {len(lines)} lines total)")

    def _edit_file(self, path: str, old_text: str, new_text: str, line_hint: int = 0) -> ToolResult:
        file = self.folder / path
        if not old_text:
            if file.exists() and file.read_text():
                return ToolResult.error("not_empty", f"{path} is not empty.")
            file.parent.mkdir(exist_ok=True)
            file.write_text(new_text)
            return ToolResult.ok("Created.")
        lines = file.read_text().splitlines()
        assert lines[line_hint - 1] == old_text
        lines[line_hint - 1] = new_text
        file.write_text("\n".join(lines) + "\n")
        return ToolResult.ok("Changed.")

    def _exec(self, command: str) -> ToolResult:
        return ToolResult.ok(f"ran {command}\nExit code: 0")


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return Tools(folder)


@pytest.fixture
def request_of() -> Callable[..., ModelRequest]:
    """Return a function that makes a request."""

    def make(*messages: Message | str, memory: str = "", **changes: Any) -> ModelRequest:
        system = [Segment(name="identity", text="You are nanobot.")]
        if memory:
            system.append(Segment(name="memory", text=memory))
        said = [UserMessage(parts=(Text(text=m),)) if isinstance(m, str) else m for m in messages]
        fields: dict[str, Any] = {"tools": TOOLS, **changes}
        return ModelRequest(model="offline", system=tuple(system), messages=tuple(said), **fields)

    return make


@pytest.fixture
def stream(tmp_path: Path) -> Callable[[ModelRequest], list[ModelEvent]]:
    """Return a function that gives all events of an answer."""

    def collect(request: ModelRequest) -> list[ModelEvent]:
        async def go() -> list[ModelEvent]:
            async with open_spec(load_spec("providers.offline"), {}, tmp_path) as provider:
                return [event async for event in provider.stream(request)]

        return run(go())

    return collect


@pytest.fixture
def turn(
    request_of: Callable[..., ModelRequest],
    stream: Callable[[ModelRequest], list[ModelEvent]],
    tools: Tools,
) -> Callable[..., str]:
    """Return a function that plays a whole turn and gives its last answer."""

    def play(*said: Message | str, **changes: Any) -> str:
        messages: list[Message | str] = list(said)
        for _ in range(5):
            events = stream(request_of(*messages, **changes))
            text = "".join(event.text for event in events if isinstance(event, ModelText))
            finish = events[-1]
            assert isinstance(finish, ModelFinish)
            if not finish.tool_calls:
                return text
            uses = tuple(ToolUse(call=c, result=tools.call(c)) for c in finish.tool_calls)
            messages.append(AssistantMessage(text=text, tool_uses=uses))
        raise AssertionError("the turn does not come to an end")

    return play
