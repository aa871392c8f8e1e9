"""AiHubMix, whose pictures come from its predictions API.

Source: AiHubMix's reference "Image generation".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_images.pictures import data_url
from nanobot_tool_images.sizes import GPT_IMAGE, from_table
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import Api, at, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://aihubmix.com/v1",
    env_keys=("AIHUBMIX_API_KEY",),
    error_codes={"moderation_blocked": "filtered"},
    deadline_s=300,
)
_FIELDS = ("b64_json", "bytesBase64", "url", "image")


class AiHubMix:
    """Implements `nanobot_tool_images.vendor.ImageVendor`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see the protocol."""
        given: dict[str, Any] = {
            "prompt": request.prompt,
            "size": from_table(GPT_IMAGE, request.aspect_ratio, request.size),
            "n": 1,
        }
        pictures = [data_url(image) for image in request.references]
        if pictures:
            given["image"] = pictures[0] if len(pictures) == 1 else pictures
        model = request.model if "/" in request.model else f"openai/{request.model}"
        path = f"/models/{model}/predictions"
        answer = await self._api.post(path, {"input": given}, model=request.model)
        found = _pictures(at(answer, "output"))
        if not found:
            raise self._api.malformed("there is no picture in it", request.model)
        return found


def _pictures(output: Any) -> list[str]:
    """Return what the output holds; its shape differs between the makers of models."""
    if isinstance(output, str):
        return [output] if output else []
    if isinstance(output, list):
        return [found for item in output for found in _pictures(item)]
    if isinstance(output, dict):
        return [found for name in _FIELDS for found in _pictures(output.get(name))]
    return []


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[AiHubMix]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield AiHubMix(api)
