"""The contract of middleware."""

from __future__ import annotations

from pathlib import Path

from nanobot.messages import ToolResult
from nanobot.middleware import Middleware
from nanobot.specs import MiddlewareSpec
from nanobot.tool import ToolRequest

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import make_turn, open_spec, run


class MiddlewareContract(PluginContract):
    """Promises of middleware."""

    def test_opens_as_middleware(self, spec: MiddlewareSpec, tmp_path: Path) -> None:
        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as opened:
                assert isinstance(opened, Middleware)

        run(check())

    def test_a_tool_call_is_passed_on_once_or_refused(
        self, spec: MiddlewareSpec, tmp_path: Path
    ) -> None:
        calls = []

        async def proceed(request: ToolRequest) -> ToolResult:
            calls.append(request)
            return ToolResult.ok("done")

        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as opened:
                request = ToolRequest(name="any", arguments={}, call_id="c1")
                result = await opened.around_tool(request, make_turn(tmp_path), proceed)
                assert isinstance(result, ToolResult)
                assert len(calls) == 1 or (not calls and result.is_error)

        run(check())
