"""Offers AiHubMix as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="aihubmix",
        title="AiHubMix",
        factory="nanobot_image_aihubmix.vendor:open_image",
        section="providers.aihubmix",
        default_model="gpt-image-2-free",
        max_references=4,
    )
