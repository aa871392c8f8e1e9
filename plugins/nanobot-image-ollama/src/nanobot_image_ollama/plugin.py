"""Offers Ollama as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="ollama",
        title="Ollama",
        factory="nanobot_image_ollama.vendor:open_image",
        section="providers.ollama",
        default_model="x/z-image-turbo",
    )
