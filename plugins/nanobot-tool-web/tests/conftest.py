"""A stage for the web tools: fake engines and readers, and a server that plays the web.

The server stands in for a proxy, so that pages can have public addresses and nothing is looked up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.config import PluginConfig
from nanobot.context import Extension, PluginContext
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.servers.wire import Reply, Request, ScriptedServer
from nanobot_tool_web.config import WebConfig
from nanobot_tool_web.engine import NO_WISHES, Hit, Wishes
from nanobot_tool_web.reader import Readout
from nanobot_tool_web.specs import FetchSpec, SearchSpec
from nanobot_tool_web.tool import open_tool

SITE = "http://93.184.215.14"
HTML = {"content-type": "text/html; charset=utf-8"}


def page(body: bytes = b"<p>hello</p>", *, status: int = 200, **headers: str) -> Reply:
    made = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers={**HTML, **made}, body=[body], chunked=False)


class Web(ScriptedServer):
    """The server; it also closes connections that came in just before its end."""

    def __init__(self) -> None:
        super().__init__()
        self._writers: list[asyncio.StreamWriter] = []

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        super()._accept(reader, writer)

    async def __aexit__(self, *error: Any) -> None:
        await super().__aexit__(*error)
        for writer in self._writers:
            writer.close()


@dataclass
class FakeEngine:
    """An engine that finds what it is told to."""

    hits: tuple[Hit, ...] = (Hit(title="One", url="https://example.org/1", snippet="First."),)
    error: ToolError | None = None
    asked: list[tuple[str, int, Wishes]] = field(default_factory=list)

    async def search(
        self, query: str, *, count: int, wishes: Wishes = NO_WISHES
    ) -> tuple[Hit, ...]:
        self.asked.append((query, count, wishes))
        if self.error:
            raise self.error
        return self.hits[:count]


@dataclass
class FakeReader:
    """A reader that says what it got."""

    extractor: str
    error: ToolError | None = None
    asked: list[tuple[str, bytes, str, str]] = field(default_factory=list)
    proxies: list[str | None] = field(default_factory=list)

    async def read(
        self,
        url: str,
        *,
        body: bytes = b"",
        media_type: str = "",
        mode: str = "markdown",
        proxy: str | None = None,
    ) -> Readout:
        self.proxies.append(proxy)
        self.asked.append((url, body, media_type, mode))
        if self.error:
            raise self.error
        return Readout(text=f"read {body.decode() or url}", extractor=self.extractor)


def extension(spec: Any, opened: Any) -> Extension:
    @asynccontextmanager
    async def enter() -> AsyncIterator[Any]:
        yield opened

    return Extension(spec=spec, open=enter)


@dataclass
class Stage:
    """The tools, and all that is around them."""

    folder: Path
    engines: dict[str, FakeEngine] = field(default_factory=lambda: {"duckduckgo": FakeEngine()})
    local: FakeReader | None = field(default_factory=lambda: FakeReader("readability"))
    remote: FakeReader | None = field(default_factory=lambda: FakeReader("jina"))
    replies: deque[Reply] = field(default_factory=lambda: deque([page()]))
    requests: list[Request] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()
    turn: str = "alice"

    def extensions(self, kind: str) -> Mapping[str, Extension]:
        if kind == "search":
            return {
                name: extension(SearchSpec(name=name, factory=""), engine)
                for name, engine in self.engines.items()
            }
        readers = {"jina": self.remote, "readability": self.local}
        return {
            name: extension(FetchSpec(name=name, factory="", remote=name == "jina"), reader)
            for name, reader in readers.items()
            if reader
        }

    @asynccontextmanager
    async def opened(self, config: PluginConfig, context: PluginContext) -> AsyncIterator[Any]:
        async with Web() as server:
            server.reply(*self.replies)
            server.requests = self.requests
            staged = config.model_copy(update={"proxy": server.base_url})
            assert isinstance(staged, WebConfig)
            async with open_tool(staged, replace(context, extensions=self.extensions)) as tool:
                yield tool

    def calls(self, *calls: tuple[str, dict[str, Any]]) -> list[ToolResult]:
        """Run calls in the same turn."""
        spec = load_spec("tools.web")
        context = make_context(spec, self.folder, plugin="tools.web", allowed=self.allowed)

        async def work() -> list[ToolResult]:
            async with self.opened(WebConfig.model_validate(self.config), context) as tool:
                return [await self._once(tool, name, args) for name, args in calls]

        return run(work())

    async def _once(self, tool: Any, name: str, args: dict[str, Any]) -> ToolResult:
        turn = make_turn(self.folder, user=self.turn)
        try:
            result: ToolResult = await tool.call(ToolRequest(name=name, arguments=args), turn)
        except ToolError as error:
            return ToolResult.error(error.kind, error.message, retryable=error.retryable)
        return result

    def search(self, query: str = "a question", **args: Any) -> ToolResult:
        return self.calls(("web_search", {"query": query, **args}))[0]

    def fetch(self, url: str = f"{SITE}/page", **args: Any) -> ToolResult:
        return self.calls(("web_fetch", {"url": url, **args}))[0]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def make_page() -> Callable[..., Reply]:
    return page


@pytest.fixture
def on_stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Let the tools' factory open them on the stage."""
    monkeypatch.setattr("nanobot_tool_web.tool.open_tool", stage.opened)
    return stage


@pytest.fixture
def make_engine() -> Callable[..., FakeEngine]:
    return FakeEngine
