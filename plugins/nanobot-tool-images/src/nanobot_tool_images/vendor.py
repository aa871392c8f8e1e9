"""The contract of a vendor of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nanobot.messages import Image


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureRequest:
    """One picture to make.

    Args:
        prompt: What it shows, or what to change in the references.
        model: The vendor's model id.
        aspect_ratio: Width to height, such as ``16:9``.
        size: ``512``, ``1K``, ``2K`` or ``4K``, or pixels such as ``1024x1536``.
        references: Earlier pictures to change or to follow; no more than the spec allows.
    """

    prompt: str
    model: str
    aspect_ratio: str = "1:1"
    size: str = "1K"
    references: tuple[Image, ...] = ()


class ImageVendor(Protocol):
    """What an `ImageSpec` factory opens."""

    async def generate(self, request: PictureRequest) -> Sequence[str]:
        """Make one picture and return it as the vendor sends it: base64, a data URL or a link.

        Calls may overlap. What comes back is decoded, fetched and checked by the caller; a link is
        fetched through the network guard. Nothing is retried.

        Raises:
            ProviderError: The vendor refused or failed, or sent something else.
        """
        ...
