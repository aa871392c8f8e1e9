"""A bot that plays scripts; started as a program, it can be talked to in a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from nanobot.errors import NanobotError
from nanobot.events import (
    Notice,
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from nanobot.messages import StopReason, ToolCall, ToolResult
from nanobot.paths import Instance
from nanobot.specs import CommandSpec

Step = TurnEvent | BaseException | Callable[[], object]
"""An event to yield, an error to raise, or something to do; a coroutine of it is awaited."""

COMMANDS = (
    CommandSpec(name="help", factory="x:y", description="List the commands."),
    CommandSpec(name="dream_log", factory="x:y", usage="[sha]", description="Show changes."),
    CommandSpec(name="model", factory="x:y", usage="[preset]", description="Choose the model."),
)

MARKDOWN = """# Plan

First *words* of the answer.

- one
- two

```python
print("hi")
```

| key | value |
|-----|-------|
| a   | 1     |
"""


def text(*pieces: str) -> list[Step]:
    """Return a turn that says something, piece by piece."""
    return [
        TurnStarted(turn_id="t", session_key="cli:direct"),
        *(TextDelta(text=piece) for piece in pieces),
        StreamEnd(resuming=False),
        TurnFinished(content="".join(pieces), stop_reason=StopReason.COMPLETED),
    ]


def tool(name: str, result: ToolResult, **arguments: object) -> list[Step]:
    """Return a tool call from start to end."""
    call = ToolCall(id=name, name=name, arguments="{}")
    return [
        ToolStarted(call=call, arguments=arguments),
        ToolFinished(call=call, result=result, seconds=0.25),
    ]


class ScriptedBot:
    """Plays the script that belongs to a message; unknown ones are answered with an echo."""

    name = "nanobot"
    icon = "🐈"

    def __init__(
        self,
        folder: Path,
        scripts: Mapping[str, Sequence[Step]] | None = None,
        *,
        notices: Sequence[str] = (),
    ) -> None:
        self.instance = Instance(config=folder / "config.json", workspace=folder / "workspace")
        self.notices = notices
        self.heard: list[tuple[str, str]] = []
        self.stopped: list[str] = []
        self.closed = False
        self._scripts = scripts or {}

    def commands(self) -> Sequence[CommandSpec]:
        return COMMANDS

    async def events(self, message: str, /, *, session_key: str) -> AsyncGenerator[TurnEvent, None]:
        self.heard.append((session_key, message))
        try:
            for step in self._scripts.get(message, text(f"You said: {message}")):
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    made = step()
                    if asyncio.iscoroutine(made):
                        await made
                else:
                    yield step
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped.append(message)
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *details: object) -> None:
        self.closed = True


async def for_ever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


SHOW: dict[str, Sequence[Step]] = {
    "plan": text(*MARKDOWN.partition("words")),
    "endless": [TextDelta(text="Counting:\n\n- one\n- tw"), for_ever],
    "stuck": [for_ever],
    "slow tool": [
        ToolStarted(
            call=ToolCall(id="1", name="exec", arguments="{}"), arguments={"command": "make"}
        ),
        for_ever,
    ],
    "tools": [
        ReasoningDelta(text="I should look at the file."),
        StreamEnd(resuming=True),
        *tool("read_file", ToolResult.ok("x"), path="notes.md"),
        *tool("fetch", ToolResult.error("timeout", "late"), url="http://h/?api_key=abcdef123456"),
        Notice(kind="retry", text="Trying again in 2 s"),
        *text("Done."),
    ],
    "fail": [
        TurnFinished(content="", stop_reason=StopReason.ERROR, error="No key.\nSet DEMO_KEY."),
    ],
    "busy": [NanobotError("The session is busy.", remedy="Wait for the other turn.")],
    "bug": [ValueError("unexpected")],
    "evil": text("safe\x1b]0;owned\x07 \x1b[2J\u202etext\x9b31m end"),
}


def main() -> int:
    """Chat with the scripts of `SHOW`; the folder is the first argument, flags follow."""
    from nanobot_cli_chat.app import Settings, run

    folder = Path(sys.argv[1])
    settings = Settings(markdown="--no-markdown" not in sys.argv, logs="--logs" in sys.argv)
    return run(lambda settings: ScriptedBot(folder, SHOW, notices=("demo answers",)), settings)


if __name__ == "__main__":
    sys.exit(main())
