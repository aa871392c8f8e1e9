"""Log in to a server with a person's help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mcp.client import Client
from nanobot.context import PluginContext
from nanobot.errors import ConfigError

from nanobot_tool_mcp.callback import listening
from nanobot_tool_mcp.calling import Caller
from nanobot_tool_mcp.connection import explain
from nanobot_tool_mcp.dialing import LOGINS, dialer
from nanobot_tool_mcp.oauth import Tokens, provider, with_scope
from nanobot_tool_mcp.server import Server
from nanobot_tool_mcp.stdio import Remarks
from nanobot_tool_mcp.tool import sdk_log


async def login(
    server: Server, context: PluginContext, show: Callable[[str], Awaitable[None]]
) -> None:
    """Get tokens, keep them, and see what the server has on offer.

    Args:
        show: Shows a person the page to log in at.

    Raises:
        NanobotError: It did not work; an earlier login is still there.
    """
    name, config = server.name, server.config
    tokens = Tokens(context.data / LOGINS, name, config, keep=False)
    wanted = Tokens(context.data / LOGINS, name, config).wanted_scope
    remarks = Remarks()

    async def show_all(url: str) -> None:
        await show(with_scope(url, config.scope, wanted))

    try:
        with sdk_log(context.log):
            async with listening(config.callback_port) as callback:
                auth = provider(
                    name, config, tokens, callback=callback.url, show=show_all, wait=callback.wait
                )
                dial = dialer(server, context, auth)
                async with Client(dial(remarks), cache=None) as client:
                    await Caller(server, context).listed(client)
    except OSError as error:
        raise ConfigError(
            f"port {config.callback_port} of this machine can not be used: {error.strerror}",
            remedy=f"Set another tools.mcpServers.{name}.callbackPort, or 0 for any.",
        ) from None
    except Exception as error:
        raise explain(name, error, remarks) from None
    tokens.save()
