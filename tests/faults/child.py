"""A gateway in a process of its own that is killed at the Nth write; run by test_kill.py.

Arguments: folder, number of the write to die at (0 for never), ``dedupe`` or ``plain``, ``honest``
or for the negative controls ``forgetful`` (a store that says yes before anything is stored) or
``repeating`` (a turn is told again to each message that joined it), and of a crowd how many chats
there are and how many messages come in each.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER, FATAL, KIND, HONEST = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
CHATS, EACH = map(int, sys.argv[5:7] or (1, 1))
STEP = 3  # the negative control tries every third write
WORD = re.compile(r"#c\d+\.\d+")
writes = 0


def trip() -> None:
    """Count a write, and die at the fatal one."""
    global writes
    writes += 1
    if writes == FATAL:
        os.kill(os.getpid(), signal.SIGKILL)


def tripping(function: Any) -> Any:
    def counted(*arguments: Any, **named: Any) -> Any:
        trip()
        result = function(*arguments, **named)
        trip()
        return result

    return counted


class Tripping(sqlite3.Connection):
    """A connection that counts its commits."""

    def execute(self, sql: str, *arguments: Any) -> Any:
        ends = sql.lstrip().upper().startswith("COMMIT")
        if ends:
            trip()
        result = super().execute(sql, *arguments)
        if ends:
            trip()
        return result


def arm() -> None:
    connect = sqlite3.connect

    def connecting(*arguments: Any, **named: Any) -> Any:
        return connect(*arguments, **{**named, "factory": Tripping})

    sqlite3.connect = connecting
    for name in ("write", "pwrite", "fsync", "fdatasync", "ftruncate"):
        setattr(os, name, tripping(getattr(os, name)))


def acked() -> list[str]:
    """Return the messages that were acknowledged."""
    path = FOLDER / "acked"
    return path.read_text().splitlines() if path.exists() else []


class Platform:
    """A platform that keeps a message until it is acknowledged, and what it received, in files."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def run(self) -> None:
        self._context.ready()
        await asyncio.gather(*(self._bring(f"c{chat}") for chat in range(CHATS)))
        await asyncio.Event().wait()

    async def _bring(self, chat: str) -> None:
        from nanobot.messages import Text
        from nanobot_gateway.channel import Incoming

        for number in range(EACH):
            word = f"#{chat}.{number}"
            if word not in acked():
                parts = (Text(text=f"append {word}"),)
                message = Incoming(id=word, sender="u1", chat=chat, parts=parts)
                await self._context.accept(message)
                with (FOLDER / "acked").open("a") as file:
                    file.write(word + "\n")
                for _ in range(STEP if HONEST == "forgetful" else 1):
                    trip()  # acknowledged, and nothing has happened since

    async def send(self, message: Any) -> str:
        trip()
        log = FOLDER / "received"
        known = log.read_text().splitlines() if log.exists() else []
        line = json.dumps([message.id, message.text])
        if KIND != "dedupe" or line not in known:
            with log.open("a") as file:
                file.write(line + "\n")
        trip()
        return "p1"


def unanswered(messages: Any) -> list[str]:
    """Return the words that were said since the last answer."""
    from nanobot.messages import UserMessage, text_of

    words: list[str] = []
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            words = WORD.findall(text_of(message.parts)) + words
        elif not message.tool_uses:
            break
    return words


class Brain:
    """A model that calls the tool once and then answers with what it was told."""

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        from nanobot.messages import AssistantMessage, FinishReason, ToolCall, Usage
        from nanobot.provider import ModelFinish, ModelText

        (FOLDER / "asked").open("a").write("x")
        last = request.messages[-1]
        if isinstance(last, AssistantMessage) and last.tool_uses:
            words = " ".join(unanswered(request.messages))
            yield ModelText(text=f"tool said {last.tool_uses[-1].result.kind or 'ok'} to {words}")
            yield ModelFinish(reason=FinishReason.STOP, usage=Usage())
            return
        call = ToolCall(id="t1", name="append", arguments="{}")
        yield ModelFinish(reason=FinishReason.TOOL_CALLS, tool_calls=(call,), usage=Usage())


class Append:
    """A tool whose effect must not happen twice."""

    async def call(self, request: Any, turn: Any) -> Any:
        from nanobot.messages import ToolResult

        trip()
        with (FOLDER / "effects").open("a") as file:
            file.write("x\n")
        trip()
        return ToolResult.ok("appended")


def install(shop: Any) -> list[str]:
    """Install the channel, the provider and the tool, none of which is there."""
    from nanobot.messages import Effects
    from nanobot.specs import ProviderSpec, ToolDefinition, ToolSpec
    from nanobot_gateway.specs import ChannelSpec

    tool = ToolDefinition(
        name="append",
        description="Append.",
        parameters={"type": "object", "properties": {}},
        effects=Effects(),
    )
    made: dict[str, tuple[Any, Any]] = {
        "providers": (
            ProviderSpec(
                name="brain",
                factory="x_providers:open_it",
                needs_key=False,
                default_model="m",
                probe_url="",
            ),
            lambda c: Brain(),
        ),
        "tools": (
            ToolSpec(name="append", factory="x_tools:open_it", tools=(tool,)),
            lambda c: Append(),
        ),
        "channels": (
            ChannelSpec(
                name="wire",
                factory="x_channels:open_it",
                title="Wire",
                deduplicates=KIND == "dedupe",
            ),
            Platform,
        ),
    }
    ids = []
    for kind, (spec, make) in made.items():
        module = ModuleType(f"x_{kind}")

        @asynccontextmanager
        async def open_it(config: Any, context: Any, make: Any = make) -> AsyncIterator[Any]:
            yield make(context)

        module.open_it = open_it  # type: ignore[attr-defined]
        shop.implement(module, f"nanobot_{kind}", lambda spec=spec: [spec])
        sys.modules[module.__name__] = module
        shop.install(f"{kind}.{spec.name}", module.__name__)
        ids.append(f"{kind}.{spec.name}")
    return ids


async def main() -> None:
    from nanobot.admin import load
    from nanobot_gateway.actor import Actor
    from nanobot_gateway.gateway import open_gateway
    from nanobot_testing.shop import Shop

    with pytest.MonkeyPatch.context() as patch:
        ids = install(Shop(FOLDER, patch))
        os.environ["NANOBOT_PLUGINS"] = ",".join([*ids, "stores.sqlite", "kinds.gateway"])
        config = FOLDER / "data" / "config.json"
        config.parent.mkdir(exist_ok=True)
        config.write_text(
            json.dumps(
                {
                    "agents": {
                        "defaults": {"workspace": str(FOLDER / "work"), "provider": "brain"}
                    },
                    "channels": {
                        "wire": {"enabled": True, "allowFrom": ["u1"], "sendToolHints": False}
                    },
                }
            )
        )
        config.chmod(0o600)
        arm()
        if HONEST == "repeating":
            Actor._told = property(lambda self: "", lambda self, told: None)  # type: ignore[assignment]
        async with open_gateway(load(config)) as gateway:
            if HONEST == "forgetful":
                accept = gateway.store.accept

                async def forgetful(row: Any) -> bool:
                    asyncio.get_running_loop().call_later(0.05, asyncio.ensure_future, accept(row))
                    return True

                gateway.store.accept = forgetful  # type: ignore[method-assign]
            await gateway.settled()
            while len(acked()) < CHATS * EACH:
                await asyncio.sleep(0.005)
            await gateway.sessions.drained()
            await gateway.outbox.drained()
    print(writes)


asyncio.run(main())
