"""Which model answers, on which provider, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from nanobot.admin import Defaults, Fallback, Parts, Plugin, Preset, RouterContext
from nanobot.config import PluginConfig, Secret
from nanobot.engine import ModelChoice
from nanobot.errors import ConfigError, NanobotError, PluginMissing
from nanobot.routing import Candidate, Route, RouteRequest
from nanobot.specs import ProviderSpec
from nanobot_settings.keys import lookup
from nanobot_settings.spelling import snake

from nanobot_router_standard import refusals
from nanobot_router_standard.detection import owner_of_address, owner_of_key
from nanobot_router_standard.probing import first_model, listening
from nanobot_router_standard.rules import choose, owners, prefix_of, vendors_set_up


@asynccontextmanager
async def open_router(config: PluginConfig, context: RouterContext) -> AsyncIterator[Models]:
    """Open the router of an instance."""
    yield Models(context.parts)


class Models:
    """Turns the configured models into choices; implements `nanobot.routing.Router`."""

    def __init__(self, parts: Parts) -> None:
        self._config = parts.config
        self._host = parts.host
        self._registry = parts.registry
        self._sections = parts.sections
        self._loaded: set[str] = set()
        self._all_loaded = False
        self._unusable: dict[str, str] = {}
        self._lent: dict[str, Secret] = {}
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
        for name, setting in self._named(defaults).items():
            try:
                made[name] = (*await self._choices(setting), *fallbacks)
            except NanobotError as error:
                self._tell(f"model preset {name!r} can not be used: {error.message}")
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
            made[""] = (*await self._choices(defaults.model_copy(update=named)), *fallbacks)
        return made

    def _named(self, defaults: Defaults) -> Mapping[str, Preset]:
        """Return the presets, and the models that subagents name by their id, under that id."""
        core = self._config.core
        models = (kind.model for kind in core.agents.subagent_profiles.values())
        shared = {
            name: getattr(defaults, name)
            for name in ("max_tokens", "context_window_tokens", "temperature", "reasoning_effort")
        }
        own = {m: Preset(model=m, **shared) for m in models if m and m not in core.model_presets}
        return {**core.model_presets, **own}

    async def _fallbacks(self, defaults: Defaults) -> tuple[ModelChoice, ...]:
        choices: list[ModelChoice] = []
        for setting in defaults.fallback_models:
            try:
                choices += await self._fallback(setting, defaults)
            except NanobotError as error:
                self._tell(f"a fallback model can not be used: {error.message}")
        return tuple(choices)

    async def _fallback(
        self, setting: str | Fallback, defaults: Defaults
    ) -> tuple[ModelChoice, ...]:
        if isinstance(setting, str):
            preset = self._config.core.model_presets.get(setting)
            if preset is None:
                raise ConfigError(f"agents.defaults.fallbackModels: no preset {setting!r}")
            return await self._choices(preset)
        inherited = {
            name: getattr(setting, name)
            if getattr(setting, name) is not None
            else getattr(defaults, name)
            for name in ("max_tokens", "context_window_tokens", "temperature")
        }
        return await self._choices(
            Preset(
                model=setting.model,
                provider=setting.provider,
                reasoning_effort=setting.reasoning_effort,
                **inherited,
            )
        )

    async def _choices(self, setting: Preset | Defaults) -> tuple[ModelChoice, ...]:
        """Return a model once for each key of its provider."""
        route = await self.route(setting.model or "", setting.provider)
        plugin, alias = self._plugin(route.provider)
        section = self._section(plugin, alias)
        first = ModelChoice(
            provider=plugin.spec.name,
            model=route.model,
            reason=route.reason,
            section=section if alias or plugin.spec.name in self._lent else None,
            alias=alias,
            requests_per_minute=getattr(section, "requests_per_minute", None),
            max_tokens=setting.max_tokens,
            window=setting.context_window_tokens,
            temperature=setting.temperature,
            effort=setting.reasoning_effort,
            context_block_limit=getattr(setting, "context_block_limit", None),
        )
        others = (
            replace(
                first,
                section=section.model_copy(update={"api_key": key}),
                alias=f"{alias or plugin.spec.name}#{number}",
            )
            for number, key in enumerate(getattr(section, "api_keys", ()), 2)
        )
        return first, *others

    # --- routing --------------------------------------------------------------------------------

    async def route(self, model: str, provider: str = "auto") -> Route:
        """Say which provider answers for a model, and why.

        Raises:
            PluginMissing: The provider that is named is not installed.
            ConfigError: None fits.
        """
        if provider != "auto":
            return await self._with_model(self._explicit(model, provider))
        prefix = prefix_of(model)
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
        request = RouteRequest(model=model, candidates=candidates)
        answer = self._host.first("nanobot_route_model", request=request) or choose(request)
        if not isinstance(answer, Route) or answer.provider not in candidates:
            raise self._unroutable(model, prefix, candidates)
        answer = await self._with_model(answer)
        if candidates[answer.provider].spec.last_resort:
            self._tell(answer.reason)
        elif not model:
            self._tell(f"Asking {answer.provider}/{answer.model}: {answer.reason}.")
        return answer

    def _explicit(self, model: str, provider: str) -> Route:
        name = snake(provider)
        if not self._known(name):
            raise self._missing(name)
        spec = self._plugin(name)[0].spec
        assert isinstance(spec, ProviderSpec)
        prefix, _, rest = model.partition("/")
        bare = rest if rest and snake(prefix) == name else model
        return Route(
            provider=name, model=bare or spec.default_model, reason="the configuration names it"
        )

    async def _with_model(self, route: Route) -> Route:
        """Complete a route that leaves the model to the provider: its first one is taken."""
        if route.model:
            return route
        model = await self._first_model(route.provider)
        if not model:
            raise refusals.no_model(route.provider)
        return replace(route, model=model)

    def _unroutable(
        self, model: str, prefix: str, candidates: Mapping[str, Candidate]
    ) -> NanobotError:
        if prefix in self._installed() and prefix not in self._unusable:
            spec = self._plugin(prefix)[0].spec
            assert isinstance(spec, ProviderSpec)
            return refusals.no_key(spec, model)
        for owner in owners(model, candidates):
            return refusals.no_key(candidates[owner].spec, model)
        if any(status.entry.id == f"providers.{prefix}" for status in self._host.statuses()):
            self._unusable.setdefault(prefix, self._missing(prefix).message)
        reasons = [self._unusable.get(prefix), *self._unusable.values()]
        keys = [
            c.spec.env_keys[0] for c in candidates.values() if c.spec.env_keys and not c.has_key
        ]
        reason = next(filter(None, reasons), "")
        return refusals.no_provider(model, prefix, reason, keys, [*vendors_set_up(candidates)])

    def _missing(self, name: str) -> PluginMissing:
        adopted = bool(self._section_of(name))
        return refusals.missing(name, self._host.statuses(), adopted=adopted)

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
        for written in self._config.section_names("providers"):
            if snake(written) == name and self._base_url(written):
                return written
        return ""

    def _base_url(self, written: str) -> str:
        """Return the address in a provider's section as it is written, empty for none."""
        base = lookup(self._config.effective, ("providers", written, "apiBase"))
        return base if isinstance(base, str) else ""

    def _plugin(self, name: str) -> tuple[Plugin, str]:
        """Return the plugin that serves a provider name, and the section it adopts for that."""
        if name in self._installed():
            self._load(name)
            plugin = self._registry.plugins("providers").get(name)
            if plugin:
                return plugin, ""
        elif written := self._section_of(name):
            self._load(None)
            specs = self._specs()
            owner = owner_of_address(self._base_url(written), specs)
            adopting = next((spec for spec in specs if spec.adopts), None)
            if server := owner or adopting:
                return self._registry.plugins("providers")[server.name], written
        raise self._missing(name)

    def _specs(self) -> list[ProviderSpec]:
        """Return what the loaded providers offer."""
        found = self._registry.plugins("providers").values()
        return [plugin.spec for plugin in found if isinstance(plugin.spec, ProviderSpec)]

    def _section(self, plugin: Plugin, alias: str) -> PluginConfig:
        """Return the section to open a provider with, with a key of its that stands elsewhere."""
        section = self._sections.named(plugin.spec, "providers", alias)
        lent = None if alias else self._lent.get(plugin.spec.name)
        return section.model_copy(update={"api_key": lent}) if lent else section

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
        except PluginMissing:
            return None
        except NanobotError as error:
            self._unusable[name] = error.message
            self._tell(f"provider {name!r} can not be used: {error.message}")
            return None
        written = [w for w in self._config.section_names("providers") if snake(w) == name]
        key = getattr(section, "api_key", None)
        variable = self._sections.env_key(spec)
        return Candidate(
            spec=spec,
            has_key=bool(key) or not spec.needs_key,
            configured=bool(written),
            base_url=self._base_url(written[0]) if written else "",
            env_key=variable if key and not written else "",
        )

    def _candidates(self) -> dict[str, Candidate]:
        """Return who can be asked: those in the configuration in its order, then the others."""
        self._load(None)
        configured = [
            snake(written)
            for written in self._config.section_names("providers")
            if snake(written) in self._installed() or self._base_url(written)
        ]
        names = dict.fromkeys((*configured, *sorted(self._installed())))
        found = {name: self._candidate(name) for name in names}
        candidates = {name: candidate for name, candidate in found.items() if candidate}
        for name in (*candidates,):
            self._detect(name, candidates)
        return candidates

    def _detect(self, name: str, candidates: dict[str, Candidate]) -> None:
        """Give a key that stands in another vendor's place to the vendor whose it is.

        It is never sent where it stands. A section with an address is left alone: what listens
        there may take any key.
        """
        candidate = candidates[name]
        spec = candidate.spec
        if candidate.base_url or name != spec.name:
            return
        key: Secret | None = getattr(self._sections.named(spec, "providers"), "api_key", None)
        owner = owner_of_key(key.reveal(), self._specs()) if key else None
        if key is None or owner is None or owner.name == name:
            return
        candidates[name] = replace(candidate, has_key=not spec.needs_key)
        place = candidate.env_key or f"providers.{name}.apiKey"
        told = f"{place} can not be used there, for it is a key of {owner.title or owner.name}"
        other = candidates.get(owner.name)
        if other and not other.has_key:
            candidates[owner.name] = replace(
                candidate, spec=other.spec, has_key=True, base_url=other.base_url
            )
            self._lent[owner.name] = key
            told += ", which is asked with it"
        self._tell(f"{told}; its place is providers.{owner.name}.apiKey")

    # --- servers that are already running ---------------------------------------------------------

    async def _running(self, candidates: Mapping[str, Candidate]) -> Route | None:
        """Find a local server that runs at its default address and offers a model."""
        for name in await listening(candidates):
            model = await self._first_model(name)
            if model:
                spec = candidates[name].spec
                title = spec.title or name
                self._tell(f"Asking {name}/{model}: {title} runs at {spec.probe_url}.")
                return Route(provider=name, model=model, reason=f"{title} is running")
        return None

    async def _first_model(self, name: str) -> str:
        try:
            plugin, alias = self._plugin(name)
            section = self._section(plugin, alias)
            return await first_model(await self._registry.open_plugin(plugin, section, alias=alias))
        except NanobotError:
            return ""

    def _tell(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)


def _is_set_up(candidate: Candidate) -> bool:
    """Tell whether the user has set a provider up, as against it merely being installed."""
    spec = candidate.spec
    if spec.needs_key:
        return candidate.has_key
    return candidate.configured and bool(candidate.base_url) and not spec.last_resort
