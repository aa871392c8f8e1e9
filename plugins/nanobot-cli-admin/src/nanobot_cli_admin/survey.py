"""Which model answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nanobot.admin import Config, Parts, Registry, Sections, open_router
from nanobot.context import SystemClock
from nanobot.engine import ModelChoice
from nanobot.errors import NanobotError

from nanobot_cli_admin.loading import Loaded
from nanobot_cli_admin.setups import Setup, setups


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """Which model answers.

    Args:
        presets: For each preset the model and its fallbacks; the empty name is the default.
        providers: All usable providers, and sections that one of them adopts.
        problem: Why no model can be asked, None when one can.
        notices: What the user should know.
    """

    presets: Mapping[str, tuple[ModelChoice, ...]]
    providers: tuple[Setup, ...]
    problem: NanobotError | None
    notices: tuple[str, ...]

    def unready(self, choice: ModelChoice) -> Setup | None:
        """Return the provider of a choice if it can not be asked.

        The router may have found its key elsewhere.
        """
        if choice.section is not None:
            return None
        name = choice.alias or choice.provider
        return next((p for p in self.providers if p.name == name and not p.ready), None)


@asynccontextmanager
async def assembled(
    config: Config, loaded: Loaded, environ: Mapping[str, str]
) -> AsyncIterator[Parts]:
    """Give what a router and the providers are opened with; all is closed at the end."""
    sections = Sections(config, loaded.host, environ)
    instance = config.instance()
    registry = Registry(loaded.host, sections, instance, SystemClock())
    try:
        yield Parts(
            config=config,
            host=loaded.host,
            registry=registry,
            sections=sections,
            instance=instance,
        )
    finally:
        await registry.aclose()


async def survey(config: Config, loaded: Loaded, environ: Mapping[str, str]) -> Survey:
    """Find out which model answers; nothing is asked over the network unless nothing is set up."""
    presets: Mapping[str, tuple[ModelChoice, ...]] = {}
    notices: Sequence[str] = ()
    problem = None
    async with assembled(config, loaded, environ) as parts:
        try:
            router = await open_router(parts)
            notices = router.notices
            presets = await router.presets()
        except NanobotError as error:
            problem = error
    return Survey(
        presets=presets,
        providers=tuple(setups(config, loaded, environ)),
        problem=problem,
        notices=tuple(dict.fromkeys(notices)),
    )


def label(choice: ModelChoice) -> str:
    """Return a choice as ``provider/model``."""
    return f"{choice.alias or choice.provider}/{choice.model or '(its first model)'}"
