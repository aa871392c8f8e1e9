"""Read what a server has on offer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from mcp import MCPError
from mcp.client import Client
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate
from nanobot.log import Logger
from pydantic import ValidationError

from nanobot_tool_mcp.catalog import LIMITS, Item, Kind

MAX_PAGES = 50


async def list_items(client: Client, log: Logger) -> list[Item]:
    """Return all that a server has on offer.

    Raises:
        MCPError: It does not list its tools.
    """
    has = client.server_capabilities
    found = await _all(client.list_tools, _tools) if has.tools else []
    more: list[tuple[Any, Any]] = []
    if has.prompts:
        more.append((client.list_prompts, _prompts))
    if has.resources:
        more.append((client.list_resources, _resources))
        more.append((client.list_resource_templates, _templates))
    for ask, read in more:
        try:
            found += await _all(ask, read)
        except (MCPError, ValidationError) as error:
            log.warning("mcp_list_refused", reason=str(error)[:200])
    kept: dict[str, Item] = {}
    for item in found:
        if sum(one.kind == item.kind for one in kept.values()) < LIMITS[item.kind]:
            kept.setdefault(item.key, item)
    if len(kept) < len(found):
        log.warning("mcp_list_cut", listed=len(found), kept=len(kept))
    return list(kept.values())


async def _all(ask: Callable[..., Awaitable[Any]], read: Callable[[Any], list[Item]]) -> list[Item]:
    found: list[Item] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await ask(cursor=cursor, cache_mode="refresh")
        found += read(page)
        cursor = page.next_cursor
        if not cursor:
            break
    return found


def _tools(page: Any) -> list[Item]:
    return [
        _item("tool", tool.name, tool.name, tool, ("description", "inputSchema", "annotations"))
        for tool in page.tools
    ]


def _prompts(page: Any) -> list[Item]:
    return [
        _item("prompt", prompt.name, prompt.name, prompt, ("description", "arguments"))
        for prompt in page.prompts
    ]


def _resources(page: Any) -> list[Item]:
    return [
        _item("resource", str(one.uri), one.name, one, ("description", "mimeType"))
        for one in page.resources
    ]


def _templates(page: Any) -> list[Item]:
    found = []
    for one in page.resource_templates:
        try:
            variables = UriTemplate.parse(one.uri_template).variable_names
        except InvalidUriTemplate:
            continue
        item = _item("template", one.uri_template, one.name, one, ("description", "mimeType"))
        found.append(replace(item, listing={**item.listing, "variables": list(variables)}))
    return found


def _item(kind: Kind, ident: str, name: str, model: Any, keys: tuple[str, ...]) -> Item:
    data = json.loads(model.model_dump_json(by_alias=True, exclude_none=True))
    listing = {key: data[key] for key in keys if key in data}
    return Item(kind=kind, ident=ident, name=name, listing=listing)
