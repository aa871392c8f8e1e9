"""What a plugin of kind ``images`` offers, as data."""

from __future__ import annotations

from dataclasses import dataclass

from nanobot.config import PluginConfig
from nanobot.specs import Spec
from nanobot_vendor_http.config import Credentials


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSpec(Spec):
    """A vendor of pictures; its factory opens a `nanobot_tool_images.vendor.ImageVendor`.

    Args:
        default_model: Model to use when ``tools.imageGeneration.model`` names none.
        max_references: Earlier pictures that a request may hold; 0 when it takes none.
    """

    config: type[PluginConfig] = Credentials
    default_model: str = ""
    max_references: int = 0
