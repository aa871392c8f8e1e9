"""Registers the tool, and opens the kind ``images``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.findings import AdviceRequest, Finding
from nanobot.hookspecs import hookspec
from nanobot.specs import KindSpec, ToolSpec

from nanobot_tool_images.config import ImagesConfig, distribution, entry_name
from nanobot_tool_images.definitions import GENERATE_IMAGE
from nanobot_tool_images.specs import ImageSpec


class Hooks:
    """Extension point ``images``."""

    @hookspec
    def nanobot_images(self) -> Iterable[ImageSpec]:  # type: ignore[empty-body]
        """Return vendors of pictures. Entry-point group ``nanobot.v1.images``."""


@hookimpl
def nanobot_kinds() -> Iterable[KindSpec]:
    """Open the kind."""
    yield KindSpec(name="images", hookspecs=Hooks, spec=ImageSpec, title="Picture vendors")


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Offer the tool."""
    yield ToolSpec(
        name="images",
        factory="nanobot_tool_images.tool:open_tool",
        config=ImagesConfig,
        title="Pictures",
        section="tools.imageGeneration",
        tools=(GENERATE_IMAGE,),
    )


@hookimpl
def nanobot_advice(request: AdviceRequest) -> Iterable[Finding]:
    """Say when pictures are switched on and their vendor is not installed."""
    tools = request.document.get("tools")
    section = tools.get("imageGeneration") if isinstance(tools, dict) else None
    if not isinstance(section, dict) or section.get("enabled") is not True:
        return
    default = ImagesConfig.model_fields["provider"].default
    name = entry_name(str(section.get("provider", default)))
    if name not in request.installed.get("images", ()):
        yield Finding(
            path="tools.imageGeneration.provider",
            severity="warning",
            message=f"no vendor of pictures called {name} is installed",
            remedy=f"pip install {distribution(name)}",
        )
