"""What the conformance suite drives: this plugin, as nanobot opens it, against the suite's server.

Usage: conformance_client.py [--broken] URL; ``--broken`` makes it a client that does its work
wrongly, to see that the suite notices.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
from mcp.client import session, streamable_http
from mcp.client.auth import oauth2
from nanobot.desk import NoDesk, Question
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn
from nanobot_tool_mcp import tool as tool_module
from nanobot_tool_mcp.config import McpConfig
from nanobot_tool_mcp.login import login
from nanobot_tool_mcp.server import Server
from nanobot_tool_mcp.tool import open_tool

CALLS = {
    "initialize": [],
    "tools_call": [("mcp_suite_add_numbers", {"a": 5, "b": 3})],
    "sse-retry": [("mcp_suite_test_reconnection", {})],
}
SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")


class Person(NoDesk):
    """Takes every default."""

    async def ask(self, question: Question) -> str:
        return "Skip"


async def browse(url: str) -> None:
    """Be the person: the suite's login page sends the browser back at once."""
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        await browser.get(url)


def sabotage() -> None:
    """Make the client do wrongly what the scenario is about; the SDK does all of it."""
    if SCENARIO == "initialize":
        session.LATEST_HANDSHAKE_VERSION = "1999-01-01"
    elif SCENARIO == "tools_call":
        CALLS[SCENARIO] = []
    elif SCENARIO == "sse-retry":
        streamable_http.MAX_RECONNECTION_ATTEMPTS = 0
    else:
        made = oauth2.PKCEParameters(code_verifier="v" * 43, code_challenge="c" * 43)
        oauth2.PKCEParameters.generate = classmethod(lambda cls: made)


async def attempt(tool: Any, request: ToolRequest, folder: Path) -> ToolResult:
    try:
        result: ToolResult = await tool.call(request, make_turn(folder))
    except ToolError as error:
        return ToolResult.error(error.kind, error.message)
    return result


async def main(url: str, folder: Path) -> int:
    spec = load_spec("tools.mcp")
    section: dict[str, Any] = {"url": url, "trust": "auto", "toolTimeout": 20}
    if SCENARIO.startswith("auth/"):
        section["auth"] = "oauth"
        known = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
        if "client_id" in known:
            section["clientId"] = known["client_id"]
            section["clientSecret"] = known["client_secret"]
    config = McpConfig.model_validate({"suite": section})
    context = make_context(spec, folder, plugin="tools.mcp")

    async def again() -> None:
        await login(Server("suite", config.servers["suite"], context), context, browse)

    if "auth" in section:
        await again()
    tool_module.FIRST_SIGHT_S = 60
    async with open_tool(config, replace(context, desk=Person())) as tool:
        names = [definition.name for definition in tool.definitions()]
        calls = CALLS.get(SCENARIO, [(n, {}) for n in names if n != "mcp_status"])
        for name, arguments in calls:
            request = ToolRequest(name=name, arguments=arguments)
            result = await attempt(tool, request, folder)
            if result.kind == "login_needed":
                await again()
                result = await attempt(tool, request, folder)
            print(name, result.kind or "ok", result.text)
            if result.is_error:
                return 1
        print("offered:", ", ".join(names))
        return 1 if "mcp_status" in names else 0


if __name__ == "__main__":
    if "--broken" in sys.argv:
        sabotage()
    with tempfile.TemporaryDirectory() as place:
        code = asyncio.run(main(sys.argv[-1], Path(place)))
    sys.exit(code)
