"""The gateway's slash commands: where they run outside a gateway, and what they do inside one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nanobot.command import Command, CommandRequest
from nanobot.config import PluginConfig
from nanobot.context import PluginContext

from nanobot_gateway.intake import Handler, Order
from nanobot_gateway.pairing import PairingStore
from nanobot_gateway.sessions import Sessions

USAGE = "Usage: /pairing [list | approve CODE | deny CODE | revoke [CHANNEL] ID]"


def orders(
    sessions: Sessions, pairing: PairingStore, restart: Callable[[], None]
) -> dict[str, Handler]:
    """Return what the gateway does at its own commands."""

    async def stop(order: Order) -> str:
        stopped = await sessions.stop(order.session_key)
        return f"Stopped {stopped} task(s)." if stopped else "No active task to stop."

    async def begin_again(order: Order) -> str:
        restart()
        return "Restarting..."

    async def pair(order: Order) -> str:
        return pairing_command(pairing, order.arguments)

    return {"stop": stop, "restart": begin_again, "pairing": pair}


def pairing_command(store: PairingStore, arguments: str) -> str:
    """Do what `/pairing` asks and return the reply."""
    verb, *rest = arguments.split() or ["list"]
    match verb.lower(), rest:
        case "list", []:
            return _listed(store)
        case "approve", [code]:
            found = store.approve(code)
            return f"Approved {found.sender} on {found.channel}." if found else _no_such(code)
        case "deny", [code]:
            found = store.deny(code)
            return f"Denied {found.sender} on {found.channel}." if found else _no_such(code)
        case "revoke", [*channel, sender] if len(channel) <= 1:
            channels = store.revoke(sender, *channel)
            where = ", ".join(channels)
            return f"Revoked {sender} on {where}." if where else f"{sender} was not paired."
    return USAGE


def _no_such(code: str) -> str:
    return f"No pairing code {code.upper()} waits; it may have expired (10 minutes)."


def _listed(store: PairingStore) -> str:
    lines = [f"- waiting: `{p.code}` {p.sender} on {p.channel}" for p in store.pending()]
    lines += [f"- paired: {id} on {c}" for c, ids in store.approved().items() for id in ids]
    return "\n".join(lines) or "Nobody is paired, and nobody waits."


def offer(store: PairingStore, channel: str, sender: str) -> str:
    """Return what a stranger is told, empty when too many wait already."""
    pending = store.request(channel, sender)
    if pending is None:
        return ""
    return (
        "I only talk to people whom my owner has approved. Your pairing code is "
        f"`{pending.code}`. It is good for 10 minutes: ask the owner to run "
        f"`nanobot gateway pairing approve {pending.code}` or to write "
        f"`/pairing approve {pending.code}`."
    )


class _Outside:
    """A command where no gateway runs the chat: in a terminal, or through the SDK."""

    def __init__(self, reply: str) -> None:
        self._reply = reply

    async def run(self, request: CommandRequest) -> str:
        return self._reply


class _Pairing:
    def __init__(self, store: PairingStore) -> None:
        self._store = store

    async def run(self, request: CommandRequest) -> str:
        return pairing_command(self._store, request.arguments)


@asynccontextmanager
async def open_stop(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open ``/stop`` outside a gateway."""
    yield _Outside("No active task to stop.")


@asynccontextmanager
async def open_restart(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open ``/restart`` outside a gateway."""
    yield _Outside("Nothing to restart: this is no gateway.")


@asynccontextmanager
async def open_pairing(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open ``/pairing``, which works on the instance's file wherever it is typed."""
    instance = context.data.parent.parent  # <data>/plugins/<id>
    yield _Pairing(PairingStore(instance / "pairing.json", context.clock))
