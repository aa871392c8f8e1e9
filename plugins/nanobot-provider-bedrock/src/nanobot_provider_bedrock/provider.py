"""Amazon Bedrock over HTTP: botocore signs requests and reads event streams, httpx carries them.

boto3 itself blocks: each answer would hold a thread, which nothing can cancel, and building its
client reads megabytes of service descriptions. aiobotocore ties itself to single versions of
botocore. The two parts of botocore used here are small, and the same in all of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote, urlencode

import httpx
from nanobot.context import PluginContext
from nanobot.errors import ConfigError
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest
from nanobot_provider_compat.endpoint import Endpoint, open_client, resolve
from nanobot_provider_compat.failure import Failures

from nanobot_provider_bedrock.answer import Answer
from nanobot_provider_bedrock.config import BedrockConfig
from nanobot_provider_bedrock.convert import body, encode
from nanobot_provider_bedrock.faults import VENDOR, Faults
from nanobot_provider_bedrock.signing import Signer, find_session

SECTION = "providers.bedrock"
_ERROR_BYTES = 64 * 1024
_REFUSAL_S = 5.0


class BedrockProvider:
    """Answers with the Converse API.

    Args:
        client: Carries the requests.
        config: The plugin's section.
        endpoint: Where models are asked.
        catalog: Base URL of the service that knows the models.
        signer: Authorises requests, None when a key does.
        context: The plugin's context.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        config: BedrockConfig,
        endpoint: Endpoint,
        catalog: str,
        signer: Signer | None,
        context: PluginContext,
    ) -> None:
        self._client = client
        self._config = config
        self._endpoint = endpoint
        self._catalog = catalog
        self._signer = signer
        self._context = context

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        faults = self._faults(request.model)
        config = self._config
        content = encode(body(request, caching=config.prompt_caching, extra=config.extra_body))
        url = self._endpoint.url(f"/model/{quote(request.model, safe='')}/converse-stream")
        answer = Answer(faults, sent=content)
        try:
            async with self._send("POST", url, content) as response:
                if not response.is_success:
                    raise await _refusal(faults, response)
                async with aclosing(_blocks(response)) as blocks:
                    async for block in blocks:
                        for event in answer.feed(block):
                            yield event
        except httpx.HTTPError as fault:
            raise faults.of(fault) from None
        yield answer.finish()

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models the region has on demand, and which inference profiles there are."""
        found = await self._ask("/foundation-models", byOutputModality="TEXT")
        profiles = await self._ask("/inference-profiles", maxResults="1000")
        try:
            names = [
                model["modelId"]
                for model in found.get("modelSummaries", ())
                if "ON_DEMAND" in model.get("inferenceTypesSupported", ("ON_DEMAND",))
            ]
            names += [
                p["inferenceProfileId"] for p in profiles.get("inferenceProfileSummaries", ())
            ]
        except (AttributeError, LookupError, TypeError):
            raise self._faults("").malformed() from None
        return [ModelInfo(id=str(name)) for name in names]

    async def _ask(self, path: str, **query: str) -> Mapping[str, Any]:
        faults = self._faults("")
        more = f"&{self._endpoint.query}" if self._endpoint.query else ""
        url = f"{self._catalog}{path}?{urlencode(query)}{more}"
        try:
            async with self._send("GET", url, b"") as response:
                if not response.is_success:
                    raise await _refusal(faults, response)
                found = json.loads(await response.aread())
        except httpx.HTTPError as fault:
            raise faults.of(fault) from None
        except ValueError:
            raise faults.malformed() from None
        if not isinstance(found, Mapping):
            raise faults.malformed()
        return found

    @asynccontextmanager
    async def _send(self, method: str, url: str, content: bytes) -> AsyncIterator[httpx.Response]:
        headers = dict(self._endpoint.headers)
        if self._signer is not None:
            headers.update(await self._signer.headers(method, url, content))
        async with self._client.stream(method, url, content=content, headers=headers) as response:
            yield response

    def _faults(self, model: str) -> Faults:
        failures = Failures(
            provider="bedrock",
            section=SECTION,
            vendor=VENDOR,
            address=self._endpoint.address,
            model=model,
        )
        return Faults(failures, self._context.clock)


def _blocks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    return cast("AsyncGenerator[bytes, None]", response.aiter_bytes())


async def _refusal(faults: Faults, response: httpx.Response) -> Exception:
    content = bytearray()
    with suppress(TimeoutError, httpx.HTTPError):  # the status alone says enough
        async with asyncio.timeout(_REFUSAL_S), aclosing(_blocks(response)) as blocks:
            async for block in blocks:
                content += block[: _ERROR_BYTES - len(content)]
    return faults.refused(response, bytes(content))


@asynccontextmanager
async def open_provider(
    config: BedrockConfig, context: PluginContext
) -> AsyncIterator[BedrockProvider]:
    """Open the provider; AWS is not asked before the first request.

    Raises:
        ConfigError: The section gives no region, or no usable address, header, profile or proxy.
    """
    session, region = await find_session(config)
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    vendor = replace(VENDOR, base_url=f"https://bedrock-runtime.{region}.{domain}")
    endpoint = resolve(config, vendor, SECTION)
    catalog = endpoint.base if config.api_base else f"https://bedrock.{region}.{domain}"
    try:
        client = open_client(endpoint)
    except (ValueError, ImportError, httpx.InvalidURL):
        raise ConfigError(
            f"{SECTION}.proxy, or a proxy variable of the environment, can not be used",
            remedy="Write the proxy as http://host:port.",
        ) from None
    signer = None if endpoint.has_key else Signer(session, region)
    async with client:
        yield BedrockProvider(client, config, endpoint, catalog, signer, context)
