"""The prompt of a turn: named system segments in a fixed order, and the volatile facts."""

from __future__ import annotations

import asyncio
from typing import Literal

from nanobot import log
from nanobot.engine import Plugins
from nanobot.errors import NanobotError
from nanobot.messages import Turn
from nanobot.provider import Segment
from nanobot.specs import PromptSpec

RENDER_DEADLINE_S = 10.0


def _of(registry: Plugins, placement: Literal["system", "turn"]) -> list[PromptSpec]:
    specs = [spec for spec in registry.usable("prompts") if spec.placement == placement]
    return sorted(specs, key=lambda spec: (spec.order, spec.name))


async def system(registry: Plugins, turn: Turn) -> tuple[Segment, ...]:
    """Render the system prompt; a section that fails is left out and logged."""
    segments = []
    for spec in _of(registry, "system"):
        text = await _render(registry, spec, turn)
        if text:
            segments.append(Segment(name=spec.name, text=text))
    return tuple(segments)


async def volatile(registry: Plugins, turn: Turn) -> str:
    """Render what belongs to this turn alone; it is sent after the user's words."""
    texts = [await _render(registry, spec, turn) for spec in _of(registry, "turn")]
    return "\n".join(text for text in texts if text)


async def _render(registry: Plugins, spec: PromptSpec, turn: Turn) -> str:
    try:
        prompt = await registry.open("prompts", spec.name)
        async with asyncio.timeout(RENDER_DEADLINE_S):
            text: str = await prompt.render(turn)
        return text.strip()
    except (NanobotError, TimeoutError) as error:
        log.get(plugin=f"prompts.{spec.name}").warning(
            "prompt_left_out", reason=str(error) or "too slow"
        )
    except Exception:
        log.get(plugin=f"prompts.{spec.name}").error("prompt_crashed", exc_info=True)
    return ""
