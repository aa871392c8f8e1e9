"""The plugins as an engine may use them: specs and opened objects, nothing of the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nanobot._plugins.registry import Registry
from nanobot.engine import ModelChoice
from nanobot.provider import Provider


class View:
    """Implements `nanobot.engine.Plugins` on a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def usable(self, kind: str) -> Sequence[Any]:
        """Return the specs of a kind that are switched on and configured, by name."""
        return [plugin.spec for plugin in self._registry.usable(kind)]

    async def open(self, kind: str, name: str) -> Any:
        """Return the object of a plugin."""
        return await self._registry.open(kind, name)

    async def open_model(self, choice: ModelChoice) -> Provider:
        """Return the provider of a choice."""
        if choice.section is None:
            opened: Provider = await self._registry.open("providers", choice.provider)
            return opened
        plugin = self._registry.plugins("providers")[choice.provider]
        opened = await self._registry.open_plugin(plugin, choice.section, alias=choice.alias)
        return opened
