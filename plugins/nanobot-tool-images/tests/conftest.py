"""What the tests of the tool share: a vendor that does as it is told, and a caller."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import Extension, PluginContext
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.contracts.image import PIXEL
from nanobot_tool_images.specs import ImageSpec
from nanobot_tool_images.tool import open_tool
from nanobot_tool_images.vendor import PictureRequest

Draw = Callable[[PictureRequest], Awaitable[Sequence[str]]]


class Painter:
    """A vendor of pictures that keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[PictureRequest] = []
        self.draw: Draw | None = None
        self.broken: Exception | None = None
        self.spec = ImageSpec(
            name="painter",
            factory="tests:open_image",
            title="The painter",
            default_model="oil",
            max_references=2,
        )

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        self.asked.append(request)
        if self.draw is not None:
            return await self.draw(request)
        return [base64.b64encode(PIXEL).decode()]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        if self.broken is not None:
            raise self.broken
        yield self

    def extensions(self, kind: str) -> Mapping[str, Extension]:
        """Return what a host tells of the vendors."""
        return {"painter": Extension(spec=self.spec, open=self.open)} if kind == "images" else {}


@pytest.fixture
def painter() -> Painter:
    return Painter()


class Studio:
    """Calls the tool in one workspace; errors come back as results, as the host does it."""

    def __init__(self, folder: Path, painter: Painter) -> None:
        self.folder = folder
        self.painter = painter
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self.allowed: tuple[str, ...] = ()
        self.config: dict[str, Any] = {"enabled": True, "provider": "painter"}

    @property
    def turn(self) -> Turn:
        return make_turn(self.workspace)

    def context(self, spec: Any) -> PluginContext:
        made = make_context(spec, self.folder, plugin="tools.images", allowed=self.allowed)
        return replace(made, extensions=self.painter.extensions)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        spec = load_spec("tools.images")
        config = spec.config.model_validate(self.config)
        async with open_tool(config, self.context(spec)) as tool:
            yield tool

    async def once(self, tool: Any, turn: Turn, **args: Any) -> ToolResult:
        try:
            request = ToolRequest(name="generate_image", arguments=args)
            result: ToolResult = await tool.call(request, turn)
        except ToolError as error:
            return ToolResult.error(
                error.kind, error.message, retryable=error.retryable, target=error.target
            )
        return result

    def __call__(self, **args: Any) -> ToolResult:
        async def work() -> ToolResult:
            async with self.opened() as tool:
                return await self.once(tool, self.turn, **args)

        return run(work())

    def files(self) -> list[Path]:
        """Return the pictures in the workspace."""
        return sorted(self.workspace.glob("generated/*/*.png"))


@pytest.fixture
def studio(tmp_path: Path, painter: Painter) -> Studio:
    return Studio(tmp_path, painter)
