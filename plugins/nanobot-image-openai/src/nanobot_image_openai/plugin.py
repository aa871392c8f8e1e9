"""Offers OpenAI as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="openai",
        title="OpenAI",
        factory="nanobot_image_openai.vendor:open_image",
        section="providers.openai",
        default_model="gpt-image-2",
        max_references=8,
    )
