"""OpenRouter, where models make pictures in chat completions.

Source: OpenRouter's guide "Image generation".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot_tool_images.pictures import data_url
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import Api, at, items, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(base_url="https://openrouter.ai/api/v1", env_keys=("OPENROUTER_API_KEY",))


class OpenRouter:
    """Implements `nanobot_tool_images.vendor.ImageVendor`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see the protocol."""
        pictures = [
            {"type": "image_url", "image_url": {"url": data_url(image)}}
            for image in request.references
        ]
        body = {
            "model": request.model,
            "messages": [
                {"role": "user", "content": [*pictures, {"type": "text", "text": request.prompt}]}
            ],
            "modalities": ["image", "text"],
            "image_config": {"aspect_ratio": request.aspect_ratio, "image_size": request.size},
        }
        answer = await self._api.post("/chat/completions", body, model=request.model)
        choice = at(answer, "choices", 0)
        found = [at(image, "image_url", "url") for image in items(choice, "message", "images")]
        links = [link for link in found if isinstance(link, str) and link]
        if links:
            return links
        words = str(at(choice, "message", "content") or "")
        if at(choice, "finish_reason") == "content_filter":
            raise self._api.filtered(words, request.model)
        raise self._api.malformed(f"there is no picture in it: {words}", request.model)


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[OpenRouter]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield OpenRouter(api)
