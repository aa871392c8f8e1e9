"""Requests to a vendor: bounded in time and size, with failures as nanobot's own errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
from nanobot import errors
from nanobot.context import Clock, PluginContext
from nanobot.errors import ConfigError
from nanobot_provider_compat.endpoint import Endpoint, open_client, resolve
from nanobot_provider_compat.failure import Failures, shown
from nanobot_settings.spelling import camel

from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

_CONNECT_S = 10.0
_ERROR_BYTES = 64 * 1024
_NO_HEADERS: Mapping[str, str] = {}

Upload = tuple[str, tuple[str, bytes, str]]
"""A file of a form: the field, and the file's name, content and media type."""


class Api:
    """A vendor's API; made by `open_api`.

    Every method raises a `nanobot.errors.ProviderError` when the vendor refuses, fails, or sends
    something else than it promises, and never retries.

    Args:
        service: What is particular to the vendor.
        endpoint: Where it is, and what every request carries.
        failures: Makes the errors.
        clock: The time.
        extra: Fields for every JSON body (``extraBody``).
    """

    def __init__(
        self,
        service: Service,
        endpoint: Endpoint,
        failures: Failures,
        client: httpx.AsyncClient,
        clock: Clock,
        extra: Mapping[str, Any],
    ) -> None:
        self._service = service
        self._endpoint = endpoint
        self._failures = failures
        self._client = client
        self._extra = extra
        self.clock = clock

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        model: str = "",
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Any:
        """Send JSON and return the JSON that comes back."""
        content = json.dumps(merged(body, self._extra)).encode()
        return self._parsed(
            await self.send("POST", path, model=model, headers=headers, content=content), model
        )

    async def post_form(
        self, path: str, fields: Mapping[str, str], files: Sequence[Upload], *, model: str = ""
    ) -> Any:
        """Send a form with files and return the JSON that comes back."""
        fields = {name: _plain(value) for name, value in merged(fields, self._extra).items()}
        answer = await self.send("POST", path, model=model, data=fields, files=list(files))
        return self._parsed(answer, model)

    async def upload(self, path: str, data: bytes, *, model: str = "") -> Any:
        """Send bytes as they are and return the JSON that comes back."""
        headers = {"content-type": "application/octet-stream"}
        return self._parsed(
            await self.send("POST", path, model=model, headers=headers, content=data), model
        )

    async def get(
        self, path: str, *, model: str = "", headers: Mapping[str, str] = _NO_HEADERS
    ) -> Any:
        """Return the JSON at a path."""
        return self._parsed(await self.send("GET", path, model=model, headers=headers), model)

    async def send(
        self,
        method: str,
        path: str,
        *,
        model: str = "",
        headers: Mapping[str, str] = _NO_HEADERS,
        **content: Any,
    ) -> bytes:
        """Send a request and return the body of a good answer.

        Args:
            path: Below the base, with a slash at its front.
            model: Model id, for messages.
            headers: More headers, names in lower case.
            content: What is sent, as `httpx.AsyncClient.stream` takes it.
        """
        fail = replace(self._failures, model=model)
        if self._service.needs_key and not self._endpoint.has_key:
            raise fail.no_key()
        sent = {**self._endpoint.headers, **headers}
        if "content" not in content:
            del sent["content-type"]  # a form brings its own, with the boundary
        try:
            async with (
                asyncio.timeout(self._service.deadline_s),
                self._client.stream(
                    method,
                    self._endpoint.url(path),
                    headers=sent,
                    timeout=httpx.Timeout(None, connect=_CONNECT_S),
                    **content,
                ) as answer,
            ):
                good = answer.is_success
                limit = self._service.max_bytes if good else _ERROR_BYTES
                body = await _read(answer, limit)
        except TimeoutError:
            raise errors.ProviderTimeout(
                f"Provider {fail.provider} did not answer within {self._service.deadline_s:g} s",
                provider=fail.provider,
                model=model,
                remedy="Try again.",
            ) from None
        except httpx.HTTPError as error:
            raise fail.of_exception(error) from None
        if not good:
            now = self.clock.now()
            raise fail.of_answer(answer.status_code, answer.headers, body[:_ERROR_BYTES], now)
        if len(body) > limit:
            raise self.malformed(f"it is longer than {limit // 2**20} MiB", model)
        return body

    def malformed(self, what: str, model: str = "") -> errors.MalformedAnswer:
        """Return the error that an answer outside of the vendor's dialect is."""
        return errors.MalformedAnswer(
            f"Provider {self._failures.provider} sent an answer that can not be used: "
            f"{shown(what)}",
            provider=self._failures.provider,
            model=model,
            remedy=f"Check {self._failures.section}.apiBase if it is set.",
        )

    def filtered(self, what: str, model: str = "") -> errors.ContentFiltered:
        """Return the error for a request that the vendor's filter refused in a good answer."""
        return errors.ContentFiltered(
            f"Provider {self._failures.provider} refused the request by its content filter: "
            f"{shown(what)}",
            provider=self._failures.provider,
            model=model,
            remedy="Rephrase the request, or use another model.",
        )

    def refused(self, payload: Any, model: str = "") -> errors.ProviderError:
        """Return the error that an error object in a good answer is."""
        return replace(self._failures, model=model).of_payload(payload, self.clock.now())

    def _parsed(self, body: bytes, model: str) -> Any:
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            raise self.malformed("it is no JSON", model) from None
        if isinstance(at(payload, "error"), dict):
            raise self.refused(payload, model)
        return payload


@asynccontextmanager
async def open_api(
    config: Credentials, context: PluginContext, service: Service
) -> AsyncIterator[Api]:
    """Open the API of the vendor that the plugin is named after.

    Raises:
        ConfigError: The section gives no usable address, header or proxy.
    """
    name = context.id.rpartition(".")[2]
    section = f"providers.{camel(name)}"
    config = service.complete(config)
    endpoint = resolve(config, service.vendor, section)
    if service.key_header and config.api_key:
        headers = {k: v for k, v in endpoint.headers.items() if k != "authorization"}
        headers[service.key_header] = config.api_key.reveal().strip()
        endpoint = replace(endpoint, headers=headers)
    failures = Failures(
        provider=name, section=section, vendor=service.vendor, address=endpoint.address
    )
    try:
        client = open_client(endpoint)
    except (ValueError, ImportError, httpx.InvalidURL):
        raise ConfigError(
            f"{section}.proxy can not be used", remedy="Correct it, or remove it."
        ) from None
    async with client:
        yield Api(service, endpoint, failures, client, context.clock, config.extra_body)


def merged(body: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with a patch in the sense of RFC 7396: merged deeply, null removes a field."""
    result = dict(body)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            old = result.get(name)
            result[name] = merged(old if isinstance(old, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def at(payload: Any, *path: str | int) -> Any:
    """Return what stands at a path in parsed JSON; None when something else is on the way."""
    for step in path:
        if isinstance(step, str) and isinstance(payload, dict):
            payload = payload.get(step)
        elif isinstance(step, int) and isinstance(payload, list) and step < len(payload):
            payload = payload[step]
        else:
            return None
    return payload


def texts(payload: Any, *path: str | int) -> list[str]:
    """Return the texts that are not empty in the list at a path."""
    found = at(payload, *path)
    return [item for item in found if isinstance(item, str) and item] if _is_list(found) else []


def items(payload: Any, *path: str | int) -> list[dict[str, Any]]:
    """Return the objects in the list at a path."""
    found = at(payload, *path)
    return [item for item in found if isinstance(item, dict)] if _is_list(found) else []


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _read(answer: httpx.Response, limit: int) -> bytes:
    """Read a body; one that is longer than the limit is read a little further and no more."""
    body = bytearray()
    async for block in answer.aiter_bytes():
        body += block
        if len(body) > limit:
            break
    return bytes(body)
