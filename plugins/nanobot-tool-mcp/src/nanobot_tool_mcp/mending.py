"""Mend lists of tools of which one entry would make the SDK refuse all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp import types
from mcp.shared.message import SessionMessage
from mcp.types.methods import parse_server_result
from mcp.types.version import LATEST_HANDSHAKE_VERSION
from pydantic import ValidationError


def mend(message: SessionMessage) -> None:
    """Mend the tools in an answer that lists some; those that can not be mended go."""
    answer = message.message
    if not isinstance(answer, types.JSONRPCResponse):
        return
    tools = answer.result.get("tools")
    if isinstance(tools, list):
        mended = [_mended(tool) for tool in tools]
        answer.result["tools"] = [tool for tool in mended if tool is not None]


def _mended(tool: Any) -> Any:
    if _fits(tool):
        return tool
    if not isinstance(tool, dict):
        return None
    schema = tool.get("inputSchema")
    bare = {"name": tool.get("name"), "inputSchema": _object(schema)}
    if isinstance(tool.get("description"), str):
        bare["description"] = tool["description"]
    return bare if _fits(bare) else None


def _object(schema: object) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        return {"type": "object"}
    made = {**schema, "type": "object"}
    properties, required = made.pop("properties", None), made.pop("required", None)
    if isinstance(properties, Mapping):
        kept = {k: v for k, v in properties.items() if isinstance(v, dict | bool)}
        made["properties"] = kept
    if isinstance(required, list):
        made["required"] = [name for name in required if isinstance(name, str)]
    if not isinstance(made.get("$schema", ""), str):
        del made["$schema"]
    return made


def _fits(tool: object) -> bool:
    try:
        parse_server_result("tools/list", LATEST_HANDSHAKE_VERSION, {"tools": [tool]})
    except ValidationError:
        return False
    return True
