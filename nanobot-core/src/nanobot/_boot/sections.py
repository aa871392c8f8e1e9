"""Configuration sections as plugins get them: with keys from the environment and secret stores."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nanobot._config import Config
from nanobot._plugins.host import Host
from nanobot.config import PluginConfig, ProviderConfig, Secret
from nanobot.log import remember_secret
from nanobot.specs import ProviderSpec, Spec

_REFERENCE = re.compile(r"([a-z][a-z0-9_+-]*):(.+)")


class Sections:
    """Returns the section of a spec, complete."""

    def __init__(self, config: Config, host: Host, environ: Mapping[str, str]) -> None:
        self._config = config
        self._host = host
        self._environ = environ

    def __call__(self, spec: Spec, kind: str) -> PluginConfig:
        """Return a plugin's section; raises ConfigError when it is not valid."""
        if self._config.is_off(spec, kind):
            return PluginConfig(enabled=False)
        return self.named(spec, kind)

    def named(self, spec: Spec, kind: str, name: str = "") -> PluginConfig:
        """Return the section of the given name, or the spec's own."""
        section = self._config.section(spec, kind, name=name)
        section = self._with_secrets(section)
        if isinstance(section, ProviderConfig) and isinstance(spec, ProviderSpec):
            variable = self.env_key(spec)
            if section.api_key is None and variable and not name:
                value = self._environ[variable]
                remember_secret(value)
                section = section.model_copy(update={"api_key": Secret(value)})
            if section.api_key is None and section.api_keys:
                first, *rest = section.api_keys
                section = section.model_copy(update={"api_key": first, "api_keys": tuple(rest)})
        return section

    def env_key(self, spec: ProviderSpec) -> str:
        """Return the environment variable that holds a provider's key, empty when none does."""
        return next((key for key in spec.env_keys if self._environ.get(key)), "")

    def _with_secrets(self, section: PluginConfig) -> PluginConfig:
        """Replace values such as ``keyring:name`` by what the secret store of that scheme gives."""
        found = {}
        for field in type(section).model_fields:
            value = getattr(section, field)
            match = _REFERENCE.fullmatch(value.reveal()) if isinstance(value, Secret) else None
            if match:
                secret = self._host.first("nanobot_resolve_secret", scheme=match[1], ref=match[2])
                if isinstance(secret, str):
                    remember_secret(secret)
                    found[field] = Secret(secret)
        return section.model_copy(update=found) if found else section
