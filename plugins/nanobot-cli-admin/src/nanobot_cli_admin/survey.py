"""Which model answers, and how each provider is set up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nanobot.admin import Config, Parts, Registry, Sections, open_router
from nanobot.config import ProviderConfig
from nanobot.context import SystemClock
from nanobot.engine import ModelChoice
from nanobot.errors import ConfigError, NanobotError
from nanobot.log import redact
from nanobot.specs import ProviderSpec
from nanobot_settings.keys import lookup
from nanobot_settings.spelling import camel, snake

from nanobot_cli_admin.loading import Loaded

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How a provider is set up.

    Args:
        ready: It can be asked.
        state: Where its key comes from or its server is, or what is missing, in words.
        remedy: What to do when it is not ready.
    """

    name: str
    ready: bool
    state: str
    remedy: str = ""


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
        """Return the provider of a choice if it can not be asked."""
        name = choice.alias or choice.provider
        return next((p for p in self.providers if p.name == name and not p.ready), None)


async def survey(config: Config, loaded: Loaded, environ: Mapping[str, str]) -> Survey:
    """Find out which model answers; nothing is asked over the network unless nothing is set up."""
    sections = Sections(config, loaded.host, environ)
    registry = Registry(loaded.host, sections, config.instance(), SystemClock())
    parts = Parts(
        config=config,
        host=loaded.host,
        registry=registry,
        sections=sections,
        instance=config.instance(),
    )
    presets: Mapping[str, tuple[ModelChoice, ...]] = {}
    notices: Sequence[str] = ()
    problem = None
    try:
        router = await open_router(parts)
        notices = router.notices
        presets = await router.presets()
    except NanobotError as error:
        problem = error
    finally:
        await registry.aclose()
    return Survey(
        presets=presets,
        providers=tuple(_setups(config, loaded, sections)),
        problem=problem,
        notices=tuple(dict.fromkeys(notices)),
    )


def label(choice: ModelChoice) -> str:
    """Return a choice as ``provider/model``."""
    return f"{choice.alias or choice.provider}/{choice.model or '(its first model)'}"


def _setups(config: Config, loaded: Loaded, sections: Sections) -> Iterator[Setup]:
    plugins = loaded.plugins.get("providers", ())
    for plugin in plugins:
        if isinstance(plugin.spec, ProviderSpec):
            yield _setup(config, plugin.spec, sections)
    names = {plugin.spec.name for plugin in plugins}
    adopts = any(getattr(plugin.spec, "adopts", False) for plugin in plugins)
    for written in config.section_names("providers"):
        name = snake(written)
        address = lookup(config.effective, ("providers", written, "apiBase"))
        if name not in names and adopts and address and isinstance(address, str):
            yield Setup(name=name, ready=True, state=redact(address))


def _setup(config: Config, spec: ProviderSpec, sections: Sections) -> Setup:
    try:
        section = sections(spec, "providers")
    except ConfigError as error:
        return Setup(name=spec.name, ready=False, state=f"not valid: {error.message}")
    if not section.enabled:
        return Setup(name=spec.name, ready=False, state="switched off")
    section_name = f"providers.{camel(spec.name)}"
    base = redact(section.api_base or "") if isinstance(section, ProviderConfig) else ""
    key = getattr(section, "api_key", None)
    if key:
        written = config.raw_section(section_name)
        found = _VARIABLE.fullmatch(str(written.get("apiKey", written.get("api_key", ""))))
        own = found[1] if found else ""
        variable = own or ("" if written.get("apiKey") else sections.env_key(spec))
        state = f"key from {variable}" if variable else "key set"
        return Setup(name=spec.name, ready=True, state=f"{state}, {base}" if base else state)
    if spec.needs_key:
        keys = " or ".join(spec.env_keys)
        return Setup(
            name=spec.name,
            ready=False,
            state=f"not set ({keys})" if keys else "not set",
            remedy=(f"Set {keys} in the environment, or: " if keys else "")
            + f"nanobot config set {section_name}.apiKey KEY",
        )
    if spec.adopts and not base:
        address = f"nanobot config set {section_name}.apiBase URL"
        return Setup(name=spec.name, ready=False, state="no apiBase is set", remedy=address)
    address = base or spec.probe_url
    state = f"local server, {address}" if spec.probe_url else base or "needs no key"
    return Setup(name=spec.name, ready=True, state=state)
