"""Which model answers, on which provider, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from nanobot import _names
from nanobot._boot.sections import Sections
from nanobot._config import Config
from nanobot._config.schema import Defaults, Fallback, Preset
from nanobot._plugins.host import Host, Plugin
from nanobot._plugins.registry import Registry
from nanobot.engine import ModelChoice
from nanobot.errors import ConfigError, NanobotError, PluginMissing
from nanobot.provider import ModelLister
from nanobot.routing import Candidate, Route, RouteRequest
from nanobot.specs import ProviderSpec

PROBE_CONNECT_S = 0.3
PROBE_LIST_S = 2.0


class Models:
    """Turns the configured models into choices."""

    def __init__(self, config: Config, host: Host, registry: Registry, sections: Sections) -> None:
        self._config = config
        self._host = host
        self._registry = registry
        self._sections = sections
        self._loaded: set[str] = set()
        self._all_loaded = False
        self.notices: list[str] = []

    async def presets(
        self, *, model: str = "", preset: str = ""
    ) -> Mapping[str, tuple[ModelChoice, ...]]:
        """Return for each preset what to ask in turn; the empty name is the default.

        A preset that can not be used is left out with a notice; the default must be usable.
        """
        defaults = self._config.core.agents.defaults
        fallbacks = await self._fallbacks(defaults)
        made: dict[str, tuple[ModelChoice, ...]] = {}
        for name, setting in self._config.core.model_presets.items():
            try:
                made[name] = (await self._choice(setting), *fallbacks)
            except NanobotError as error:
                self.notices.append(f"model preset {name!r} can not be used: {error.message}")
        active = preset or ("" if model else defaults.model_preset or "")
        if active and active != "default":
            if active not in made:
                raise ConfigError(
                    f"model preset {active!r} is not usable or not defined",
                    remedy=f"Presets: {', '.join(made) or 'none'} (see modelPresets).",
                )
            made[""] = made[active]
        else:
            named = {"model": model, "provider": "auto"} if model else {}
            made[""] = (await self._choice(defaults.model_copy(update=named)), *fallbacks)
        return made

    async def _fallbacks(self, defaults: Defaults) -> tuple[ModelChoice, ...]:
        choices = []
        for setting in defaults.fallback_models:
            try:
                choices.append(await self._fallback(setting, defaults))
            except NanobotError as error:
                self.notices.append(f"a fallback model can not be used: {error.message}")
        return tuple(choices)

    async def _fallback(self, setting: str | Fallback, defaults: Defaults) -> ModelChoice:
        if isinstance(setting, str):
            preset = self._config.core.model_presets.get(setting)
            if preset is None:
                raise ConfigError(f"agents.defaults.fallbackModels: no preset {setting!r}")
            return await self._choice(preset)
        inherited = {
            name: getattr(setting, name)
            if getattr(setting, name) is not None
            else getattr(defaults, name)
            for name in ("max_tokens", "context_window_tokens", "temperature")
        }
        return await self._choice(
            Preset(
                model=setting.model,
                provider=setting.provider,
                reasoning_effort=setting.reasoning_effort,
                **inherited,
            )
        )

    async def _choice(self, setting: Preset | Defaults) -> ModelChoice:
        route = await self.route(setting.model or "", setting.provider)
        plugin, alias = self._plugin(route.provider)
        return ModelChoice(
            provider=plugin.spec.name,
            model=route.model,
            reason=route.reason,
            section=self._sections.named(plugin.spec, "providers", alias) if alias else None,
            alias=alias,
            max_tokens=setting.max_tokens,
            window=setting.context_window_tokens,
            temperature=setting.temperature,
            effort=setting.reasoning_effort,
            context_block_limit=getattr(setting, "context_block_limit", None),
        )

    # --- routing --------------------------------------------------------------------------------

    async def route(self, model: str, provider: str = "auto") -> Route:
        """Say which provider answers for a model, and why.

        Raises:
            PluginMissing: The provider that is named is not installed.
            ConfigError: None fits.
        """
        if provider != "auto":
            return self._explicit(model, provider)
        prefix = _names.snake(model.partition("/")[0]) if "/" in model else ""
        if prefix and self._known(prefix):
            candidate = self._candidate(prefix)
            if candidate and candidate.has_key:
                bare = model.partition("/")[2]
                return Route(
                    provider=prefix, model=bare, reason=f"the model's prefix names {prefix}"
                )
        candidates = self._candidates()
        if not model and not any(_is_set_up(c) for c in candidates.values()):
            found = await self._running(candidates)
            if found:
                return found
        answer = self._host.first(
            "nanobot_route_model", request=RouteRequest(model=model, candidates=candidates)
        )
        if not isinstance(answer, Route):
            raise self._unroutable(model, prefix)
        if candidates[answer.provider].spec.last_resort:
            self.notices.append(answer.reason)
        elif not model:
            self.notices.append(f"Asking {answer.provider}/{answer.model}: {answer.reason}.")
        return answer

    def _explicit(self, model: str, provider: str) -> Route:
        name = _names.snake(provider)
        if not self._known(name):
            raise PluginMissing(
                f"provider {provider!r} is not installed (agents.defaults.provider, or a preset)",
                plugin=f"providers.{name}",
                remedy=f"{_names.install_hint('providers', name)}   "
                f"Installed: {', '.join(sorted(self._installed())) or 'none'}.",
            )
        spec = self._plugin(name)[0].spec
        assert isinstance(spec, ProviderSpec)
        prefix, _, rest = model.partition("/")
        bare = rest if rest and _names.snake(prefix) == name else model
        if not (bare or spec.default_model):
            raise ConfigError(
                f"provider {provider!r} has no default model",
                remedy="Name one: nanobot config set agents.defaults.model MODEL",
            )
        return Route(
            provider=name, model=bare or spec.default_model, reason="the configuration names it"
        )

    def _unroutable(self, model: str, prefix: str) -> NanobotError:
        if prefix and prefix in self._installed():
            spec = self._plugin(prefix)[0].spec
            assert isinstance(spec, ProviderSpec)
            keys = " or ".join(spec.env_keys) or "its key"
            return ConfigError(
                f"provider {prefix!r} has no key, so model {model!r} can not be asked",
                remedy=f"Set {keys} in the environment, or "
                f"nanobot config set providers.{_names.camel(prefix)}.apiKey KEY",
            )
        return ConfigError(
            f"no provider is configured for model {model!r}",
            remedy="Name one with agents.defaults.provider, or install it: "
            f"{_names.install_hint('providers', prefix or 'NAME')}   (see nanobot status)",
        )

    # --- candidates -----------------------------------------------------------------------------

    def _installed(self) -> set[str]:
        return {
            status.entry.name
            for status in self._host.statuses()
            if status.entry.kind == "providers" and status.state.usable
        }

    def _known(self, name: str) -> bool:
        return name in self._installed() or bool(self._section_of(name))

    def _section_of(self, name: str) -> str:
        """Return a provider section with an address that no plugin claims, as it is written."""
        for written in self._sections.names():
            if _names.snake(written) == name and self._sections.base_url(written):
                return written
        return ""

    def _plugin(self, name: str) -> tuple[Plugin, str]:
        """Return the plugin that serves a provider name, and the section it adopts for that."""
        if name in self._installed():
            self._load(name)
            plugin = self._registry.plugins("providers").get(name)
            if plugin:
                return plugin, ""
        else:
            self._load(None)
            for plugin in self._registry.plugins("providers").values():
                if plugin.spec.adopts:  # type: ignore[attr-defined]
                    return plugin, self._section_of(name)
        status = next((s for s in self._host.statuses() if s.entry.id == f"providers.{name}"), None)
        reason = f": {status.reason}" if status and status.reason else ""
        hint = _names.install_hint("providers", name if status else "custom")
        raise PluginMissing(
            f"no plugin can serve provider {name!r}{reason}",
            plugin=f"providers.{name}",
            remedy=f"{hint}   (nanobot plugins list shows what is installed)",
        )

    def _load(self, name: str | None) -> None:
        """Load one provider plugin, or all; a gateway with 40 vendors installed imports one."""
        if self._all_loaded or name in self._loaded:
            return
        self._host.load("providers", None if name is None else [name])
        self._registry.forget("providers")
        self._all_loaded = name is None
        self._loaded |= {name} if name else set()

    def _candidate(self, name: str) -> Candidate | None:
        try:
            plugin, alias = self._plugin(name)
            spec = plugin.spec
            assert isinstance(spec, ProviderSpec)
            section = self._sections.named(spec, "providers", alias)
        except NanobotError:
            return None
        written = [w for w in self._sections.names() if _names.snake(w) == name]
        key = getattr(section, "api_key", None)
        variable = self._sections.env_key(spec)
        return Candidate(
            spec=spec,
            has_key=bool(key) or not spec.needs_key,
            configured=bool(written),
            base_url=self._sections.base_url(written[0]) if written else "",
            env_key=variable if key and not written else "",
        )

    def _candidates(self) -> dict[str, Candidate]:
        self._load(None)
        names = self._installed() | {
            _names.snake(written)
            for written in self._sections.names()
            if self._sections.base_url(written)
        }
        found = {name: self._candidate(name) for name in sorted(names)}
        return {name: candidate for name, candidate in found.items() if candidate}

    # --- servers that are already running ---------------------------------------------------------

    async def _running(self, candidates: Mapping[str, Candidate]) -> Route | None:
        """Find a local server that runs at its default port and offers a model."""
        local = {name: c for name, c in candidates.items() if c.spec.probe_url}
        open_ports = await asyncio.gather(*(_listens(c.spec.probe_url) for c in local.values()))
        for (name, candidate), listens in zip(local.items(), open_ports, strict=True):
            model = await self._first_model(name) if listens else ""
            if model:
                title = candidate.spec.title or name
                self.notices.append(
                    f"Asking {name}/{model}: {title} runs at {candidate.spec.probe_url}."
                )
                return Route(provider=name, model=model, reason=f"{title} is running")
        return None

    async def _first_model(self, name: str) -> str:
        try:
            async with asyncio.timeout(PROBE_LIST_S):
                provider = await self._registry.open("providers", name)
                found: Sequence[object] = (
                    await provider.list_models() if isinstance(provider, ModelLister) else ()
                )
        except (NanobotError, TimeoutError):
            return ""
        return str(getattr(found[0], "id", "")) if found else ""


def _is_set_up(candidate: Candidate) -> bool:
    """Tell whether the user has set a provider up, as against it merely being installed."""
    spec = candidate.spec
    if spec.needs_key:
        return candidate.has_key
    return candidate.configured and bool(candidate.base_url) and not spec.last_resort


async def _listens(url: str) -> bool:
    place = urlsplit(url)
    try:
        async with asyncio.timeout(PROBE_CONNECT_S):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
