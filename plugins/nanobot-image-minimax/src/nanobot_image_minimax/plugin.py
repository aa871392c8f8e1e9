"""Offers MiniMax as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="minimax",
        title="MiniMax",
        factory="nanobot_image_minimax.vendor:open_image",
        section="providers.minimax",
        default_model="image-01",
        max_references=1,
    )
