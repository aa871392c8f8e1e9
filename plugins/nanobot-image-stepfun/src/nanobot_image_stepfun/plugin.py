"""Offers StepFun as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="stepfun",
        title="StepFun",
        factory="nanobot_image_stepfun.vendor:open_image",
        section="providers.stepfun",
        default_model="step-image-edit-2",
        max_references=1,
    )
