"""The prompt of a turn: named system segments in a fixed order, and the volatile facts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from nanobot import log
from nanobot.engine import Plugins
from nanobot.errors import NanobotError
from nanobot.messages import Turn
from nanobot.provider import Segment
from nanobot.specs import PromptSpec

from nanobot_engine_standard.alarm import Alarm

RENDER_DEADLINE_S = 10.0


def _of(registry: Plugins, placement: Literal["system", "turn"]) -> list[PromptSpec]:
    specs = [spec for spec in registry.usable("prompts") if spec.placement == placement]
    return sorted(specs, key=lambda spec: (spec.order, spec.name))


async def system(registry: Plugins, turn: Turn, instructions: str) -> tuple[Segment, ...]:
    """Render the system prompt; a section that fails is left out and logged.

    Args:
        instructions: What it says last, empty for nothing.
    """
    texts = await _rendered(registry, _of(registry, "system"), turn)
    if instructions.strip():
        texts.append(("profile", instructions.strip()))
    return tuple(Segment(name=name, text=text) for name, text in texts)


async def volatile(registry: Plugins, turn: Turn) -> str:
    """Render what belongs to this turn alone; it is sent after the user's words."""
    return "\n".join(text for _, text in await _rendered(registry, _of(registry, "turn"), turn))


async def _rendered(
    registry: Plugins, specs: Sequence[PromptSpec], turn: Turn
) -> list[tuple[str, str]]:
    """Return the names and texts of the sections that have one.

    They are rendered one after the other: nearly all are a file that has not changed, for which a
    task of its own would cost more than the rendering.
    """
    alarm = Alarm()
    try:
        texts = [(spec.name, await _render(registry, spec, turn, alarm)) for spec in specs]
    finally:
        alarm.close()
    return [(name, text) for name, text in texts if text]


async def _render(registry: Plugins, spec: PromptSpec, turn: Turn, alarm: Alarm) -> str:
    reason = "too slow"
    try:
        prompt = await registry.open("prompts", spec.name)
        alarm.set(asyncio.get_running_loop().time() + RENDER_DEADLINE_S)
        text: str = await prompt.render(turn)
        return text.strip()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not alarm.rang():
            if task and task.cancelling():
                raise
            reason = "it cancelled itself"
    except NanobotError as error:
        reason = str(error)
    except (Exception, SystemExit):
        log.get(plugin=f"prompts.{spec.name}").error("prompt_crashed", exc_info=True)
        return ""
    finally:
        alarm.clear()
    log.get(plugin=f"prompts.{spec.name}").warning("prompt_left_out", reason=reason)
    return ""
