"""How each provider is set up: where its key comes from, whether one is signed in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from nanobot.admin import Config, Plugin, Sections
from nanobot.config import PluginConfig, ProviderConfig, Secret
from nanobot.errors import ConfigError
from nanobot.log import redact
from nanobot.specs import ProviderSpec
from nanobot_router_standard.detection import owner_of_address, owner_of_key
from nanobot_settings.keys import lookup
from nanobot_settings.spelling import camel, snake

from nanobot_cli_admin.loading import Loaded

_VARIABLE = re.compile(r"\$\{(\w+)\}")
LOGIN_OPTION = "login"
"""What the options of a provider with a login have; the tokens lie in `LOGIN_FILE`."""
LOGIN_FILE = "login.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How a provider is set up.

    Args:
        name: Name of the provider, or of the section that its plugin adopts.
        plugin: What serves it.
        ready: It can be asked.
        state: Where its key comes from or its server is, or what is missing, in words.
        remedy: What to do when it is not ready.
        chosen: The user has set it up, as against its merely needing no key.
        alias: The section that its plugin adopts, as it is written; empty for its own.
    """

    name: str
    plugin: Plugin
    ready: bool
    state: str
    remedy: str = ""
    chosen: bool = False
    alias: str = ""


def setups(config: Config, loaded: Loaded, environ: Mapping[str, str]) -> Iterator[Setup]:
    """Yield how all usable providers are set up, and the sections that one of them adopts."""
    sections = Sections(config, loaded.host, environ)
    vendors = {
        plugin.spec.name: (plugin, plugin.spec)
        for plugin in loaded.plugins.get("providers", ())
        if isinstance(plugin.spec, ProviderSpec)
    }
    specs = [spec for _, spec in vendors.values()]
    for plugin, spec in vendors.values():
        try:
            section = sections(spec, "providers")
        except ConfigError as error:
            state = f"not valid: {error.message}"
            yield Setup(name=spec.name, plugin=plugin, ready=False, state=state)
            continue
        yield _setup(_Place(config=config, sections=sections, plugin=plugin), section, specs)
    adopting = next((spec for spec in specs if spec.adopts), None)
    for written in config.section_names("providers"):
        address = lookup(config.effective, ("providers", written, "apiBase"))
        if snake(written) in vendors or not address or not isinstance(address, str):
            continue
        if server := owner_of_address(address, specs) or adopting:
            yield Setup(
                name=snake(written),
                plugin=vendors[server.name][0],
                ready=True,
                state=redact(address),
                chosen=True,
                alias=written,
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where a provider's settings are."""

    config: Config
    sections: Sections
    plugin: Plugin

    @property
    def spec(self) -> ProviderSpec:
        assert isinstance(self.plugin.spec, ProviderSpec)
        return self.plugin.spec

    @property
    def section(self) -> str:
        return f"providers.{camel(self.spec.name)}"

    def key_state(self) -> str:
        """Say where the key comes from."""
        written = self.config.raw_section(self.section)
        found = _VARIABLE.fullmatch(str(written.get("apiKey", written.get("api_key", ""))))
        own = found[1] if found else ""
        variable = own or ("" if written.get("apiKey") else self.sections.env_key(self.spec))
        return f"key from {variable}" if variable else "key set"

    def signed_in(self) -> bool:
        """Tell whether there are tokens; whether they are still good only the vendor knows."""
        return (self.config.instance().plugin_data(self.plugin.id) / LOGIN_FILE).exists()


def _setup(place: _Place, section: PluginConfig, specs: list[ProviderSpec]) -> Setup:
    spec = place.spec
    ready = partial(Setup, name=spec.name, plugin=place.plugin, ready=True)
    lacking = partial(Setup, name=spec.name, plugin=place.plugin, ready=False)
    if not section.enabled:
        return lacking(state="switched off")
    base = redact(section.api_base or "") if isinstance(section, ProviderConfig) else ""
    key: Secret | None = getattr(section, "api_key", None)
    if key:
        owner = None if base else owner_of_key(key.reveal(), specs)
        if owner and owner.name != spec.name:
            return lacking(
                state=f"not set: its key is one of {owner.title or owner.name}",
                remedy=f"nanobot config set providers.{camel(owner.name)}.apiKey KEY",
            )
        state = f"{place.key_state()}, {base}" if base else place.key_state()
        return ready(state=state, chosen=True)
    if LOGIN_OPTION in spec.options:
        if place.signed_in():
            return ready(state="signed in", chosen=True)
        command = f"nanobot provider login {spec.name.replace('_', '-')}"
        return lacking(state=f"signed out: {command}")
    if spec.needs_key:
        keys = " or ".join(spec.env_keys)
        return lacking(
            state=f"not set ({keys})" if keys else "not set",
            remedy=(f"Set {keys} in the environment, or: " if keys else "")
            + f"nanobot config set {place.section}.apiKey KEY",
        )
    if spec.adopts and not base:
        command = f"nanobot config set {place.section}.apiBase URL"
        return lacking(state="no apiBase is set", remedy=command)
    address = base or spec.probe_url
    state = f"local server, {address}" if spec.probe_url else base or "needs no key"
    written = bool(place.config.raw_section(place.section))
    return ready(state=state, chosen=written and not spec.last_resort)
