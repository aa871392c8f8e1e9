"""Offers Gemini as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="gemini",
        title="Gemini",
        factory="nanobot_image_gemini.vendor:open_image",
        section="providers.gemini",
        default_model="gemini-2.5-flash-image",
        max_references=8,
    )
