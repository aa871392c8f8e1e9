"""Ollama, a server on one's own machine.

Source: Ollama's API reference, "Generate a completion", image generation (experimental).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot_tool_images.sizes import computed
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import Api, at, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="http://127.0.0.1:11434",
    env_keys=("OLLAMA_API_KEY",),
    needs_key=False,
    local=True,
    cut=("/v1",),
    deadline_s=600,
)


class Ollama:
    """Implements `nanobot_tool_images.vendor.ImageVendor`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see the protocol."""
        width, height = computed(request.aspect_ratio, request.size)
        body = {
            "model": request.model,
            "prompt": request.prompt,
            "width": width,
            "height": height,
            "stream": False,
        }
        answer = await self._api.post("/api/generate", body, model=request.model)
        image = at(answer, "image")
        if not isinstance(image, str) or not image:
            what = "there is no picture in it; does the model make pictures?"
            raise self._api.malformed(what, request.model)
        return [image]


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[Ollama]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield Ollama(api)
