"""The section ``tools.imageGeneration``."""

from __future__ import annotations

from typing import Annotated

from nanobot.config import PluginConfig
from nanobot_settings.spelling import snake
from pydantic import AfterValidator, Field

RATIO = r"^[1-9][0-9]?:[1-9][0-9]?$"
SIZE = r"^(512|[124]K|[1-9][0-9]{2,3}x[1-9][0-9]{2,3})$"


def _inside(value: str) -> str:
    parts = value.split("/")
    if not value.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise ValueError("must be a folder within the workspace, such as generated")
    return value


class ImagesConfig(PluginConfig):
    """What a user may set about pictures."""

    enabled: bool = Field(default=False, description="Let models make pictures.")
    provider: str = Field(
        default="openrouter", description="Vendor that makes them; its key is in `providers`."
    )
    model: str | None = Field(
        default=None, description="The vendor's model id; null takes the vendor's usual one."
    )
    default_aspect_ratio: str = Field(
        default="1:1", pattern=RATIO, description="Width to height when a call names none."
    )
    default_image_size: str = Field(
        default="1K",
        pattern=SIZE,
        description="`512`, `1K`, `2K`, `4K`, or pixels such as `1024x1536`.",
    )
    max_images_per_turn: int = Field(
        default=4, ge=1, le=8, description="Most pictures that one turn may make."
    )
    save_dir: Annotated[str, AfterValidator(_inside)] = Field(
        default="generated", description="Folder in the workspace for the pictures."
    )


def entry_name(provider: str) -> str:
    """Return a vendor's name as its plugin has it, however the configuration spells it."""
    return snake(provider.strip())


def distribution(name: str) -> str:
    """Return the distribution in which a vendor comes."""
    return f"nanobot-image-{name.replace('_', '-')}"
