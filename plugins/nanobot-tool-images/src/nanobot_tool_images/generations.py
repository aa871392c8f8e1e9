"""The dialect ``POST /images/generations``, which many vendors speak with small differences.

Source: OpenAI's API reference, "Create image".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from nanobot.context import PluginContext
from nanobot_vendor_http.api import Api, items, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

from nanobot_tool_images.sizes import computed, from_table
from nanobot_tool_images.vendor import PictureRequest

PATH = "/images/generations"
BAD_ANSWER = "there is no picture in it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Generations:
    """A vendor of the dialect; subclasses change what differs.

    Args:
        api: The vendor's API.
        sizes: Pixels by aspect ratio; empty to compute them.
        body: Fields for every request.
    """

    api: Api
    sizes: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make a picture; see `nanobot_tool_images.vendor.ImageVendor`."""
        answer = await self.api.post(PATH, self.compose(request), model=request.model)
        return self.read(answer, request.model)

    def compose(self, request: PictureRequest) -> dict[str, Any]:
        """Return the body of a request."""
        return {
            "model": request.model,
            "prompt": request.prompt,
            "size": self.pixels(request),
            **self.body,
        }

    def pixels(self, request: PictureRequest) -> str:
        """Return the size that is asked for."""
        if self.sizes:
            return from_table(self.sizes, request.aspect_ratio, request.size)
        return "x".join(map(str, computed(request.aspect_ratio, request.size)))

    def read(self, answer: Any, model: str) -> list[str]:
        """Return the pictures of an answer.

        Raises:
            ProviderError: There is none.
        """
        found = [
            text
            for item in items(answer, "data")
            for text in (item.get("b64_json"), item.get("url"))
            if isinstance(text, str) and text
        ]
        if not found:
            raise self.api.malformed(BAD_ANSWER, model)
        return found


@asynccontextmanager
async def open_image(config: Credentials, context: PluginContext) -> AsyncIterator[Generations]:
    """Open a vendor that its spec's options describe: ``service``, ``sizes``, ``body``."""
    async with open_api(config, context, Service.of(context.options)) as api:
        yield Generations(api=api, sizes=_table(context, "sizes"), body=_table(context, "body"))


def _table(context: PluginContext, name: str) -> dict[str, Any]:
    found = context.options.get(name, {})
    assert isinstance(found, dict)
    return found
