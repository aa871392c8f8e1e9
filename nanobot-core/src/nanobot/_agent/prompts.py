"""The prompt of a turn: named system segments in a fixed order, and the volatile facts."""

from __future__ import annotations

import asyncio
from typing import Literal

from nanobot import log
from nanobot._plugins.host import Plugin
from nanobot._plugins.registry import Registry
from nanobot.errors import NanobotError
from nanobot.messages import Turn
from nanobot.provider import Segment

RENDER_DEADLINE_S = 10.0


def _of(registry: Registry, placement: Literal["system", "turn"]) -> list[Plugin]:
    plugins = [
        plugin
        for plugin in registry.usable("prompts")
        if plugin.spec.placement == placement  # type: ignore[attr-defined]
    ]
    return sorted(plugins, key=lambda p: (p.spec.order, p.spec.name))  # type: ignore[attr-defined]


async def system(registry: Registry, turn: Turn) -> tuple[Segment, ...]:
    """Render the system prompt; a section that fails is left out and logged."""
    segments = []
    for plugin in _of(registry, "system"):
        text = await _render(registry, plugin, turn)
        if text:
            segments.append(Segment(name=plugin.spec.name, text=text))
    return tuple(segments)


async def volatile(registry: Registry, turn: Turn) -> str:
    """Render what belongs to this turn alone; it is sent after the user's words."""
    texts = [await _render(registry, plugin, turn) for plugin in _of(registry, "turn")]
    return "\n".join(text for text in texts if text)


async def _render(registry: Registry, plugin: Plugin, turn: Turn) -> str:
    try:
        prompt = await registry.open("prompts", plugin.spec.name)
        async with asyncio.timeout(RENDER_DEADLINE_S):
            text: str = await prompt.render(turn)
        return text.strip()
    except (NanobotError, TimeoutError) as error:
        log.get(plugin=plugin.id).warning("prompt_left_out", reason=str(error) or "too slow")
    except Exception:
        log.get(plugin=plugin.id).error("prompt_crashed", exc_info=True)
    return ""
