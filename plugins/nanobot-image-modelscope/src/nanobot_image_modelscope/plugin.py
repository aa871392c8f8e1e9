"""Offers ModelScope as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="modelscope",
        title="ModelScope",
        factory="nanobot_image_modelscope.vendor:open_image",
        section="providers.modelscope",
        default_model="Qwen/Qwen-Image-2512",
        max_references=3,
    )
