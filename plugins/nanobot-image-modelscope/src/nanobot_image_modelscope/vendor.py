"""ModelScope, where a picture is a task.

Source: ModelScope's guide "API inference", image generation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nanobot import errors
from nanobot.context import PluginContext
from nanobot_tool_images.generations import PATH, Generations
from nanobot_tool_images.pictures import data_url
from nanobot_tool_images.vendor import PictureRequest
from nanobot_vendor_http.api import at, open_api, texts
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://api-inference.modelscope.cn/v1", env_keys=("MODELSCOPE_API_KEY",)
)
SIZES = {
    "1:1": "1328x1328",
    "16:9": "1664x928",
    "9:16": "928x1664",
    "4:3": "1472x1140",
    "3:4": "1140x1472",
}
PAUSE_S = 5.0
LOOKS = 60


class ModelScope(Generations):
    """The vendor of the dialect: tasks in place of answers."""

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see `nanobot_tool_images.vendor.ImageVendor`."""
        started = await self.api.post(
            PATH,
            self.compose(request),
            model=request.model,
            headers={"x-modelscope-async-mode": "true"},
        )
        task = at(started, "task_id")
        if not isinstance(task, str) or not task.isprintable() or "/" in task:
            raise self.api.malformed("there is no task in it", request.model)
        for look in range(LOOKS):
            if look:
                await self.api.clock.sleep(PAUSE_S)
            found = await self._look(task, request.model)
            if found:
                return found
        raise errors.ProviderTimeout(
            f"ModelScope did not finish the picture within {LOOKS * PAUSE_S:g} s",
            model=request.model,
            remedy="Try again.",
        )

    def compose(self, request: PictureRequest) -> dict[str, Any]:
        """Return the body of a request."""
        pictures = [data_url(image) for image in request.references]
        return {**super().compose(request), **({"image_url": pictures} if pictures else {})}

    async def _look(self, task: str, model: str) -> list[str]:
        """Return the pictures of a task; none while it runs."""
        answer = await self.api.get(
            f"/tasks/{task}", model=model, headers={"x-modelscope-task-type": "image_generation"}
        )
        status = at(answer, "task_status")
        if status == "FAILED":
            raise self.api.refused(answer, model)
        if status != "SUCCEED":
            return []
        found = texts(answer, "output_images")
        if not found:
            raise self.api.malformed("there is no picture in it", model)
        return found


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[ModelScope]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield ModelScope(api=api, sizes=SIZES)
