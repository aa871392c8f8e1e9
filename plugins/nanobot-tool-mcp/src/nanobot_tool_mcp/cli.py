"""``nanobot mcp``: look at the MCP servers, approve what they changed, log in to them."""

from __future__ import annotations

import asyncio
import json
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from nanobot import log
from nanobot.context import Network, PluginContext
from nanobot.errors import ConfigError, NanobotError
from nanobot.paths import default_config_path

from nanobot_tool_mcp.catalog import Item, clean
from nanobot_tool_mcp.config import McpConfig
from nanobot_tool_mcp.server import Server

LOGIN_S = 600.0
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Instance:
    config: McpConfig
    context: PluginContext

    def server(self, name: str) -> Server:
        if name not in self.config.servers:
            known = ", ".join(self.config.servers) or "none"
            raise ConfigError(
                f"tools.mcpServers has no server {name!r}; it has: {known}",
                remedy="nanobot mcp list",
            )
        return Server(name, self.config.servers[name], self.context)


def _open(config_path: Path) -> _Instance:
    from nanobot.admin import load

    from nanobot_tool_mcp.plugin import nanobot_tools

    (spec,) = nanobot_tools()
    config = load(config_path.expanduser())
    section = config.section(spec, "tools")
    assert isinstance(section, McpConfig)
    id = f"tools.{spec.name}"
    context = PluginContext(
        id=id,
        log=log.get(plugin=id),
        data=config.instance().plugin_data(id),
        network=Network(allowed=tuple(str(net) for net in config.core.tools.ssrf_whitelist)),
    )
    return _Instance(config=section, context=context)


def _config_option(function: F) -> F:
    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=default_config_path,
        help="Configuration file (default: ~/.nanobot/config.json).",
    )(function)


@click.group()
def command() -> None:
    """Look at MCP servers, approve what they changed, log in to them."""


@command.command("list")
@_config_option
def list_servers(config_path: Path) -> None:
    """List the configured servers, and what waits for approval; connects to none."""
    instance = _open(config_path)
    if not instance.config.servers:
        click.echo("tools.mcpServers names no server.")
    for name in instance.config.servers:
        server = instance.server(name)
        state = f"offers {len(server.offered())}" if server.pins.known else "not seen yet"
        click.echo(f"{name} ({server.config.kind}): {state if server.config.enabled else 'off'}")
        if waiting := server.waiting():
            click.echo(f"  {waiting}")


@command.command()
@click.argument("name")
@_config_option
def check(name: str, config_path: Path) -> None:
    """Connect to a server and show what it offers."""
    server = _open(config_path).server(name)
    trouble = asyncio.run(_meet(server))
    if trouble:
        raise click.ClickException(trouble)
    for item in server.offered():
        click.echo(f"{item.kind} {_line(item)}")
    if waiting := server.waiting():
        click.echo(waiting)


async def _meet(server: Server) -> str:
    from nanobot_tool_mcp.tool import sdk_log

    with sdk_log(log.get(plugin="tools.mcp")):
        try:
            await server.meet()
            return server.trouble()
        finally:
            await server.aclose()


@command.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_config_option
def trust(name: str, yes: bool, config_path: Path) -> None:
    """Approve what a server has changed since it was last approved."""
    server = _open(config_path).server(name)
    changes = server.pins.changes()
    if not changes:
        click.echo(f"Nothing of {name} waits for approval.")
        return
    approved = {item.key: item for item in server.pins.approved()}
    for change in changes:
        click.echo(f"{change}")
        if before := approved.get(change.item.key):
            click.echo(f"  - {_facts(before)}")
        click.echo(f"  + {_facts(change.item)}")
    if not yes:
        click.confirm("Approve?", abort=True)
    server.pins.approve(changes)
    click.echo(f"Approved. What runs already offers it from the next message on: {len(changes)}.")


@command.command()
@click.argument("name")
@_config_option
def login(name: str, config_path: Path) -> None:
    """Log in to a server with a browser; needs `"auth": "oauth"` in its section."""
    instance = _open(config_path)
    server = instance.server(name)
    if server.config.auth != "oauth":
        raise ConfigError(
            f"tools.mcpServers.{name} does not ask for a login",
            remedy=f'Set tools.mcpServers.{name}.auth to "oauth".',
        )
    asyncio.run(_login(server, instance.context))
    click.echo(f"Logged in to {name}; it offers {len(server.offered())}.")


async def _login(server: Server, context: PluginContext) -> None:
    from nanobot_tool_mcp.login import login

    async def show(url: str) -> None:
        click.echo(f"Log in with this page:\n{url}")
        await asyncio.to_thread(webbrowser.open, url)

    try:
        async with asyncio.timeout(LOGIN_S):
            await login(server, context, show)
    except TimeoutError:
        raise NanobotError("Nobody logged in.") from None


@command.command()
@click.argument("name")
@_config_option
def logout(name: str, config_path: Path) -> None:
    """Forget the login to a server."""
    from nanobot_tool_mcp.pins import file_name

    instance = _open(config_path)
    instance.server(name)
    path = instance.context.data / "logins" / file_name(name)
    if path.exists():
        path.unlink()
        click.echo(f"Forgot the login to {name}.")
    else:
        click.echo(f"Nobody is logged in to {name}.")


def _line(item: Item) -> str:
    about = clean(str(item.listing.get("description", ""))).partition("\n")[0]
    return f"{clean(item.name)}: {about[:100]}" if about else clean(item.name)


def _facts(item: Item) -> str:
    """Return all of it, in ASCII: nothing is cut off, no character hides."""
    return json.dumps(dict(item.listing), sort_keys=True)
