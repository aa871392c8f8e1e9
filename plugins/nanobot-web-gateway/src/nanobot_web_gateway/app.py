"""The app: pairing and the state of the channels, for whoever has the gateway's token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from nanobot.context import Clock, PluginContext
from nanobot.errors import StorageError
from nanobot.log import redact
from nanobot_gateway.pairing import PairingStore, Pending
from nanobot_service_http.asgi import Web
from nanobot_service_http.web import (
    HTTPException,
    JSONResponse,
    Request,
    Route,
    application,
    read_json,
)

from nanobot_web_gateway.config import GatewayApiConfig

T = TypeVar("T")

LONGEST = 200
_CODE = re.compile(r"[A-Za-z0-9-]+")


class GatewayApi:
    """Answers requests.

    Args:
        pairing: The file with who is paired; need not exist.
        clock: The time, for codes that expire.
    """

    def __init__(self, pairing: Path, clock: Clock) -> None:
        self._pairing = pairing
        self._clock = clock
        self.app = application(
            Route("/pairing", self.paired, methods=["GET"]),
            Route("/pairing/approve", self.approve, methods=["POST"]),
            Route("/pairing/deny", self.deny, methods=["POST"]),
            Route("/pairing/revoke", self.revoke, methods=["POST"]),
            Route("/channels", self.channels, methods=["GET"]),
        )

    # --- pairing ----------------------------------------------------------------------------------

    async def paired(self, request: Request) -> JSONResponse:
        """Return the codes that wait, and the ids that were approved."""
        waiting, approved = await self._on_store(lambda store: (store.pending(), store.approved()))
        return JSONResponse({"pending": [_shown(each) for each in waiting], "approved": approved})

    async def approve(self, request: Request) -> JSONResponse:
        """Let the stranger behind a code in."""
        code = await _code(request)
        return _found("approved", await self._on_store(lambda store: store.approve(code)))

    async def deny(self, request: Request) -> JSONResponse:
        """Throw a code away."""
        code = await _code(request)
        return _found("denied", await self._on_store(lambda store: store.deny(code)))

    async def revoke(self, request: Request) -> JSONResponse:
        """Take an approval back, on one channel or on all."""
        fields = await _fields(request, needed=("sender",), further=("channel",))
        sender, channel = fields["sender"], fields.get("channel", "")
        channels = await self._on_store(lambda store: store.revoke(sender, channel))
        if not channels:
            raise HTTPException(404, "Nobody of this id is paired there.")
        return JSONResponse({"revoked": {"sender": sender, "channels": channels}})

    async def _on_store(self, work: Callable[[PairingStore], T]) -> T:
        """Do something with the file, in a thread: another process may hold its lock."""
        store = PairingStore(self._pairing, self._clock)
        try:
            return await asyncio.to_thread(work, store)
        except StorageError as error:
            raise HTTPException(503, f"{error.message}. {error.remedy}".strip()) from None

    # --- channels ---------------------------------------------------------------------------------

    async def channels(self, request: Request) -> JSONResponse:
        """Return the state of every account that the configuration switches on."""
        health = request.state.health()
        if health is None:
            raise HTTPException(503, "The gateway can not tell how it fares; its log says why.")
        found = []
        for id, state in sorted(health.parts.items()):
            kind, _, name = id.partition(".")
            if kind == "channels":
                channel, _, account = name.partition(".")
                found.append(
                    {"channel": channel, "account": account or "default", "state": redact(state)}
                )
        return JSONResponse({"channels": found})


@asynccontextmanager
async def open_web(config: GatewayApiConfig, context: PluginContext) -> AsyncIterator[Web]:
    """Open the app."""
    instance = context.data.parent.parent  # <data>/plugins/<id>
    yield GatewayApi(instance / "pairing.json", context.clock)


# --- what is sent, and what is answered -----------------------------------------------------------


async def _code(request: Request) -> str:
    code = (await _fields(request, needed=("code",)))["code"]
    if not _CODE.fullmatch(code):
        raise HTTPException(400, "A code has letters, digits and a hyphen.")
    return code


async def _fields(
    request: Request, *, needed: tuple[str, ...], further: tuple[str, ...] = ()
) -> Mapping[str, str]:
    """Return the body of a request: an object with texts of the given names and nothing else."""
    body: Any = await read_json(request)
    if not isinstance(body, dict):
        raise HTTPException(400, "The body is a JSON object.")
    unknown = sorted(set(body) - {*needed, *further})
    if unknown:
        raise HTTPException(400, f"There is no field {unknown[0]!r} here.")
    for name in needed:
        if name not in body:
            raise HTTPException(400, f"The field {name!r} is missing.")
    for name, value in body.items():
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
            raise HTTPException(400, f"The field {name!r} is a text of at most {LONGEST} letters.")
    return body


def _shown(pending: Pending) -> dict[str, object]:
    return {
        "code": pending.code,
        "channel": pending.channel,
        "sender": pending.sender,
        "created_at": pending.created_at,
        "expires_at": pending.expires_at,
    }


def _found(what: str, pending: Pending | None) -> JSONResponse:
    if pending is None:
        raise HTTPException(404, "No such code waits; it may have expired.")
    return JSONResponse({what: {"channel": pending.channel, "sender": pending.sender}})
