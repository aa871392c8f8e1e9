"""Lets every enricher make more of a message before its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from nanobot import log
from nanobot.admin import Parts
from nanobot.errors import NanobotError, describe
from nanobot.messages import Inbound, Part

from nanobot_gateway.enricher import Enricher

DEADLINE_S = 300.0


class Enriching:
    """The enrichers of the current instance.

    Args:
        parts: Returns its plugins.
    """

    def __init__(self, parts: Callable[[], Parts]) -> None:
        self._parts = parts
        self._open: Sequence[Enricher] = ()

    async def open(self) -> None:
        """Open them; one that can not be opened is left out, and the log says why."""
        parts = self._parts()
        found: list[Enricher] = []
        parts.host.load("enrichers")
        for plugin in parts.registry.usable("enrichers"):
            try:
                found.append(await parts.registry.open("enrichers", plugin.spec.name))
            except NanobotError as error:
                log.get(plugin=plugin.id).error("enricher_left_out", reason=error.message)
        self._open = found

    def wanted(self, inbound: Inbound) -> bool:
        """Tell whether one of them has something to do for a message."""
        return any(self._wants(each, inbound.parts) for each in self._open)

    async def enrich(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Return what the agent is to read; what fails or takes too long adds nothing."""
        for each in self._open:
            if not self._wants(each, parts):
                continue
            try:
                async with asyncio.timeout(DEADLINE_S):
                    parts = await each.enrich(parts)
            except Exception as error:
                log.get().error("enricher_failed", reason=log.redact(describe(error)))
        return parts

    @staticmethod
    def _wants(each: Enricher, parts: tuple[Part, ...]) -> bool:
        try:
            return each.wants(parts)
        except Exception as error:
            log.get().error("enricher_failed", reason=log.redact(describe(error)))
            return False
