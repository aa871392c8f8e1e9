"""Offers OpenRouter as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="openrouter",
        title="OpenRouter",
        factory="nanobot_image_openrouter.vendor:open_image",
        section="providers.openrouter",
        default_model="openai/gpt-5.4-image-2",
        max_references=8,
    )
