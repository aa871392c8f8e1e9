"""StepFun.

Source: StepFun's API reference, "Image generation" and "Image editing".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_images.generations import Generations
from nanobot_tool_images.pictures import data_url
from nanobot_tool_images.sizes import from_table
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import items, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(base_url="https://api.stepfun.com/v1", env_keys=("STEPFUN_API_KEY",))
STEP_1X = {"1:1": "1024x1024", "16:9": "1280x800", "9:16": "800x1280"}
EDIT_2 = {
    "1:1": "1024x1024",
    "16:9": "1360x768",
    "9:16": "768x1360",
    "4:3": "1184x896",
    "3:4": "896x1184",
}
"""Width first, as everywhere else; the model wants the height first."""


class StepFun(Generations):
    """The vendor of the dialect: base64, and one reference in two ways."""

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see `nanobot_tool_images.vendor.ImageVendor`."""
        if not request.references or follows_style(request.model):
            return await super().generate(request)
        (image,) = request.references
        suffix = image.media_type.rpartition("/")[2]
        files = [("image", (f"picture.{suffix}", image.data, image.media_type))]
        fields = self.compose(request)
        answer = await self.api.post_form("/images/edits", fields, files, model=request.model)
        return self.read(answer, request.model)

    def compose(self, request: PictureRequest) -> dict[str, Any]:
        """Return the body of a request."""
        body = {**super().compose(request), "response_format": "b64_json"}
        if request.references and follows_style(request.model):
            body["style_reference"] = {"source_url": data_url(request.references[0])}
        return body

    def pixels(self, request: PictureRequest) -> str:
        """Return the size that is asked for."""
        if follows_style(request.model):
            return from_table(STEP_1X, request.aspect_ratio, request.size)
        width, _, height = from_table(EDIT_2, request.aspect_ratio, request.size).partition("x")
        return f"{height}x{width}"

    def read(self, answer: Any, model: str) -> list[str]:
        """Return the pictures of an answer; one that was withheld is a refusal."""
        if any(item.get("finish_reason") == "content_filtered" for item in items(answer, "data")):
            raise self.api.filtered("the picture was withheld", model)
        return super().read(answer, model)


def follows_style(model: str) -> bool:
    """Tell whether a model takes a reference for its style, and not to change it."""
    return model.startswith("step-1x") and "edit" not in model


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[StepFun]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield StepFun(api=api)
