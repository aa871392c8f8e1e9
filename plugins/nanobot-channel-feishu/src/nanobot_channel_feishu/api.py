"""The platform's REST API, as far as the channel needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from nanobot.config import Secret
from nanobot.context import Clock

from nanobot_channel_feishu.faults import STALE_TOKEN, ApiError

T = TypeVar("T")

CALL_S = 30.0
"""Deadline of a call, in seconds."""

TRANSFER_S = 120.0
"""Deadline of an upload or download, in seconds."""

_RENEW_S = 600.0  # the platform hands out a new token half an hour before the old one ends


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where the long connection is to be made.

    Args:
        url: Address with a ticket that is good once.
        ping_s: Seconds between two pings.
    """

    url: str
    ping_s: float


class Api:
    """Calls the platform as one app.

    Args:
        http: Client whose base URL is the platform's.
        app_id: The app.
        app_secret: Its secret.
        clock: The time, for the life of the access token.
    """

    def __init__(
        self, http: httpx.AsyncClient, app_id: str, app_secret: Secret, clock: Clock
    ) -> None:
        self._http = http
        self._app_id = app_id
        self._app_secret = app_secret
        self._clock = clock
        self._token: Secret | None = None
        self._token_ends = 0.0
        self._renewing = asyncio.Lock()

    # --- who we are ------------------------------------------------------------------------------

    async def endpoint(self) -> Endpoint:
        """Ask where to connect.

        Raises:
            ApiError: The platform refuses the app, or does not answer.
        """
        body = {"AppID": self._app_id, "AppSecret": self._app_secret.reveal()}
        async with _deadline(CALL_S):
            answer = await self._http.post(
                "/callback/ws/endpoint", json=body, headers={"locale": "zh"}
            )
        data = _read(answer).get("data") or {}
        url = str(data.get("URL") or "")
        if not url:
            raise ApiError(0, "the platform names no address to connect to")
        settings = data.get("ClientConfig") or {}
        return Endpoint(url=url, ping_s=float(settings.get("PingInterval") or 120))

    async def token(self) -> str:
        """Return an access token that is good for some more minutes."""
        async with self._renewing:
            if self._token is None or self._clock.monotonic() >= self._token_ends:
                body = {"app_id": self._app_id, "app_secret": self._app_secret.reveal()}
                async with _deadline(CALL_S):
                    answer = await self._http.post(
                        "/open-apis/auth/v3/tenant_access_token/internal", json=body
                    )
                data = _read(answer)
                value = str(data.get("tenant_access_token") or "")
                if not value:
                    raise ApiError(0, "the platform gives no access token")
                self._token = Secret(value)
                life = float(data.get("expire") or 0)
                self._token_ends = self._clock.monotonic() + max(life - _RENEW_S, life / 2)
            return self._token.reveal()

    # --- calls -----------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
        file: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> dict[str, Any]:
        """Call the API and return what it answers.

        Args:
            path: Below ``/open-apis``; see `at`.
            body: Sent as JSON.
            form: Fields of a form that carries a file.
            file: The file by the name of its field: its name and content.

        Raises:
            ApiError: The platform refuses, or does not answer.
        """
        seconds = TRANSFER_S if file else CALL_S

        async def once(headers: dict[str, str]) -> dict[str, Any]:
            async with _deadline(seconds):
                answer = await self._http.request(
                    method,
                    f"/open-apis{path}",
                    params=query,
                    json=body,
                    data=form,
                    files=file,
                    headers=headers,
                    timeout=seconds,
                )
            return _read(answer)

        return await self._authorized(once)

    async def download(self, path: str, kind: str, limit: int) -> bytes:
        """Return the content of a file in a message.

        Args:
            kind: ``image`` or ``file``.
            limit: Most bytes to take.

        Raises:
            ApiError: It can not be had, or is larger.
        """

        async def once(headers: dict[str, str]) -> bytes:
            async with (
                _deadline(TRANSFER_S),
                self._http.stream(
                    "GET", f"/open-apis{path}", params={"type": kind}, headers=headers
                ) as answer,
            ):
                if answer.status_code == 200:
                    return await _take(answer, limit)
                await answer.aread()
                _read(answer)
            raise ApiError(0, "the platform sends no file", status=answer.status_code)

        return await self._authorized(once)

    async def _authorized(self, once: Callable[[dict[str, str]], Awaitable[T]]) -> T:
        """Do something with an access token, once more with a new one if it is refused."""
        try:
            return await once({"authorization": f"Bearer {await self.token()}"})
        except ApiError as error:
            if error.code not in STALE_TOKEN:
                raise
            self._token = None
        return await once({"authorization": f"Bearer {await self.token()}"})


def at(*names: str) -> str:
    """Return a path of the given names, which may come from anywhere."""
    return "/" + "/".join(quote(name, safe="") for name in names)


async def _take(answer: httpx.Response, limit: int) -> bytes:
    data = bytearray()
    async for chunk in answer.aiter_bytes():
        data += chunk
        if len(data) > limit:
            raise ApiError(-1, f"it is larger than {limit // 1_000_000} MB", status=413)
    return bytes(data)


def _read(answer: httpx.Response) -> dict[str, Any]:
    """Return the body of an answer that says that all went well."""
    wait = _seconds(answer.headers)
    try:
        data = answer.json()
    except ValueError:
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("code"), int):
        status = answer.status_code
        message = f"the platform answers with HTTP {status}"
        raise ApiError(0, message, status=status, retry_after=wait)
    if data["code"] != 0:
        raise ApiError(
            data["code"],
            str(data.get("msg") or "no reason given")[:300],
            status=answer.status_code,
            retry_after=wait,
        )
    return data


def _seconds(headers: Mapping[str, str]) -> float | None:
    for name in ("x-ogw-ratelimit-reset", "retry-after"):
        try:
            return max(0.0, float(headers[name]))
        except (KeyError, ValueError):
            continue
    return None


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """Turn every way in which the network fails into an `ApiError` that may be tried again."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ApiError(0, f"the platform does not answer within {seconds:g} s") from None
    except httpx.HTTPError as error:
        raise ApiError(0, f"the platform can not be reached ({type(error).__name__})") from None
