"""Google's Gemini and Imagen, through the Gemini API.

Source: the Gemini API's guides "Image generation" and "Imagen".
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nanobot import errors
from nanobot.context import PluginContext
from nanobot_tool_images.sizes import nearest
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import Api, at, items, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://generativelanguage.googleapis.com/v1beta",
    env_keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    key_header="x-goog-api-key",
    cut=("/openai",),
)
IMAGEN_RATIOS = ("1:1", "9:16", "16:9", "3:4", "4:3")
RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
LONG_RATIOS = (*RATIOS, "1:4", "4:1", "1:8", "8:1")
_FILTERS = {
    *("SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST"),
    *("RECITATION", "IMAGE_RECITATION", "SPII"),
}


class Gemini:
    """Implements `nanobot_tool_images.vendor.ImageVendor`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see the protocol."""
        model = request.model.removeprefix("models/")
        if model.startswith("imagen"):
            return await self._predict(request, model)
        pictures = [
            {
                "inlineData": {
                    "mimeType": image.media_type,
                    "data": base64.b64encode(image.data).decode(),
                }
            }
            for image in request.references
        ]
        body = {
            "contents": [{"role": "user", "parts": [*pictures, {"text": request.prompt}]}],
            "generationConfig": {
                "responseModalities": ["TEXT", "IMAGE"],
                "imageConfig": image_config(model, request),
            },
        }
        answer = await self._api.post(f"/models/{model}:generateContent", body, model=model)
        parts = items(answer, "candidates", 0, "content", "parts")
        found = _texts(at(part, "inlineData", "data") for part in parts)
        if found:
            return found
        words = " ".join(_texts(part.get("text") for part in parts))
        reason = at(answer, "promptFeedback", "blockReason")
        reason = reason or at(answer, "candidates", 0, "finishReason")
        if at(answer, "promptFeedback", "blockReason") or reason in _FILTERS:
            raise self._api.filtered(f"{reason} {words}", model)
        raise self._api.malformed(f"there is no picture in it: {words}", model)

    async def _predict(self, request: PictureRequest, model: str) -> Sequence[str]:
        if request.references:
            raise errors.BadRequest(
                f"{model} makes new pictures and can not change one",
                model=model,
                remedy="Use a Gemini model such as gemini-2.5-flash-image for that.",
            )
        ratio = nearest(IMAGEN_RATIOS, request.aspect_ratio)
        body = {
            "instances": [{"prompt": request.prompt}],
            "parameters": {"sampleCount": 1, "aspectRatio": ratio},
        }
        answer = await self._api.post(f"/models/{model}:predict", body, model=model)
        made = items(answer, "predictions")
        found = _texts(item.get("bytesBase64Encoded") for item in made)
        if found:
            return found
        reasons = _texts(item.get("raiFilteredReason") for item in made)
        if reasons:
            raise self._api.filtered(reasons[0], model)
        raise self._api.malformed("there is no picture in it", model)


def image_config(model: str, request: PictureRequest) -> dict[str, str]:
    """Return the shape and size that a Gemini model knows and that come nearest."""
    long_ones = "3.1-flash" in model
    config = {"aspectRatio": nearest(LONG_RATIOS if long_ones else RATIOS, request.aspect_ratio)}
    sizes: tuple[str, ...] = ()
    if "gemini-3" in model:
        sizes = ("1K", "2K", "4K")
    if long_ones:
        sizes = ("1K",) if "lite" in model else ("512", *sizes)
    if request.size in sizes:
        config["imageSize"] = request.size
    return config


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[Gemini]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield Gemini(api)
