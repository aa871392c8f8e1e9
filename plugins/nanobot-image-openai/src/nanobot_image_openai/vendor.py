"""OpenAI.

Source: OpenAI's API reference, "Create image" and "Create image edit".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nanobot import errors
from nanobot.context import PluginContext
from nanobot_tool_images.generations import Generations
from nanobot_tool_images.sizes import GPT_IMAGE, from_table
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://api.openai.com/v1",
    env_keys=("OPENAI_API_KEY",),
    error_codes={
        "billing_hard_limit_reached": "quota",
        "credit_balance_exhausted": "quota",
        "image_content_policy_violation": "filtered",
        "moderation_blocked": "filtered",
    },
    deadline_s=300,
)
DALL_E_3 = {
    "1:1": "1024x1024",
    "4:3": "1792x1024",
    "16:9": "1792x1024",
    "3:4": "1024x1792",
    "9:16": "1024x1792",
}
DALL_E_2 = {"1:1": "1024x1024"}


class OpenAI(Generations):
    """The vendor of the dialect: three families of models, and edits."""

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see `nanobot_tool_images.vendor.ImageVendor`."""
        if not request.references:
            return await super().generate(request)
        if is_dall_e(request.model):
            raise errors.BadRequest(
                f"{request.model} makes new pictures and can not change one",
                model=request.model,
                remedy="Use a GPT Image model such as gpt-image-2 for that.",
            )
        suffixes = (image.media_type.rpartition("/")[2] for image in request.references)
        files = [
            ("image[]", (f"picture{n}.{suffix}", image.data, image.media_type))
            for n, (image, suffix) in enumerate(zip(request.references, suffixes, strict=True))
        ]
        fields = self.compose(request)
        answer = await self.api.post_form("/images/edits", fields, files, model=request.model)
        return self.read(answer, request.model)

    def compose(self, request: PictureRequest) -> dict[str, Any]:
        """Return the body of a request; only DALL·E must be told to send base64."""
        wanted = {"response_format": "b64_json"} if is_dall_e(request.model) else {}
        return {**super().compose(request), **wanted}

    def pixels(self, request: PictureRequest) -> str:
        """Return the size that is asked for."""
        table = {"dall-e-2": DALL_E_2, "dall-e-3": DALL_E_3}.get(request.model, GPT_IMAGE)
        return from_table(table, request.aspect_ratio, request.size)


def is_dall_e(model: str) -> bool:
    """Tell whether a model is of the older family."""
    return model.startswith("dall-e")


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[OpenAI]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield OpenAI(api=api)
