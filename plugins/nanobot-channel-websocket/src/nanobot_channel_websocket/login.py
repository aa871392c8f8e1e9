"""``nanobot channels login websocket``: says where clients connect, and with what."""

from __future__ import annotations

from collections.abc import Callable

from nanobot_gateway.channel import ChannelContext

from nanobot_channel_websocket.config import WILDCARDS, WebSocketConfig


async def login(
    config: WebSocketConfig, context: ChannelContext, console: Callable[[str], None]
) -> str:
    """Show the URL, and return where a client's token comes from; no secret is shown."""
    section = "channels.websocket"
    if context.account != "default":
        section += f".accounts.{context.account}"
    console(f"Clients connect to {_url(config, 'ws')}{config.path}?client_id=NAME")
    return "\n".join(_tokens(config, section))


def _tokens(config: WebSocketConfig, section: str) -> list[str]:
    found = []
    if config.token:
        found.append(f"Their token is {section}.token, as ?token=... or Authorization: Bearer ...")
    elif not config.websocket_requires_token:
        found.append(f"They need no token, as {section}.websocketRequiresToken is false.")
    if config.token_issue_path:
        holder = "this machine"
        if config.token_issue_secret or config.token:
            secret = "tokenIssueSecret" if config.token_issue_secret else "token"
            holder = f"who shows {section}.{secret} as Authorization: Bearer ..."
        found.append(
            f"GET {_url(config, 'http')}{config.token_issue_path} gives {holder} a token that is "
            f"good once and for {config.token_ttl_s} seconds."
        )
    if config.trusted_proxy_auth:
        found.append("Who comes through the trusted proxy needs no token.")
    return found or [
        f"Only the web UI on this machine gets a token by itself; for other clients set {section}"
        ".token, or tokenIssuePath."
    ]


def _url(config: WebSocketConfig, scheme: str) -> str:
    """Return the URL up to the path."""
    if config.public_ws_url:
        public = config.public_ws_url.rstrip("/").removesuffix(config.path.rstrip("/"))
        return scheme + public.removeprefix("ws")
    secure = "s" if config.ssl_certfile else ""
    if config.unix_socket_path:
        return f"{scheme}{secure}+unix:{config.unix_socket_path}:"
    host = "localhost" if config.host in WILDCARDS else config.host
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}{secure}://{shown}:{config.port}"
