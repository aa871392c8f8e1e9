"""MiniMax.

Source: MiniMax's reference "Image generation".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_images.pictures import data_url
from nanobot_tool_images.sizes import computed, is_pixels, nearest
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import Api, at, open_api, texts
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://api.minimax.io/v1",
    env_keys=("MINIMAX_API_KEY",),
    cut=("/anthropic",),
    error_codes={
        "1002": "rate_limit",
        "1004": "auth",
        "1008": "quota",
        "1026": "filtered",
        "1027": "filtered",
        "2013": "bad_request",
        "2049": "auth",
    },
    deadline_s=300,
)
RATIOS = ("1:1", "16:9", "4:3", "3:2", "2:3", "3:4", "9:16", "21:9")


class MiniMax:
    """Implements `nanobot_tool_images.vendor.ImageVendor`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see the protocol."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            "response_format": "base64",
            "n": 1,
        }
        if is_pixels(request.size):
            body["width"], body["height"] = computed(request.aspect_ratio, request.size)
        else:
            body["aspect_ratio"] = nearest(RATIOS, request.aspect_ratio)
        if request.references:
            body["subject_reference"] = [
                {"type": "character", "image_file": data_url(image)} for image in request.references
            ]
        answer = await self._api.post("/image_generation", body, model=request.model)
        if at(answer, "base_resp", "status_code"):
            raise self._api.refused(answer, request.model)
        found = texts(answer, "data", "image_base64")
        if not found:
            raise self._api.malformed("there is no picture in it", request.model)
        return found


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[MiniMax]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield MiniMax(api)
