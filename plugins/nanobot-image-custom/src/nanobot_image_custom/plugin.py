"""Offers any server of OpenAI's pictures API as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="custom",
        title="Custom",
        factory="nanobot_tool_images.generations:open_image",
        section="providers.custom",
        options={
            "service": {"needs_key": False, "deadline_s": 300.0},
            "body": {"n": 1, "response_format": "b64_json"},
        },
    )
