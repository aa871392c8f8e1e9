"""An instance's configuration, loaded: the core's settings and every plugin's section."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nanobot_documents.document import good_copy_remedy
from nanobot_settings.environment import is_secret_name, overlay, resolve
from nanobot_settings.keys import Path as KeyPath
from nanobot_settings.keys import canonical, error, kind_of, listed, lookup, show
from nanobot_settings.validation import validate
from pydantic import BaseModel

from nanobot._config.core import validate_core
from nanobot._config.document import Document, read_document
from nanobot._config.migrate import migrate
from nanobot._config.schema import CoreSettings
from nanobot._names import camel, snake
from nanobot.config import PluginConfig, Secret
from nanobot.errors import ConfigError
from nanobot.findings import Finding
from nanobot.log import remember_secret
from nanobot.paths import Instance
from nanobot.specs import Spec


class ConfigRefused(ConfigError):
    """A configuration that the core can not use; ``findings`` has all that is known of it."""

    findings: tuple[Finding, ...] = ()


def load(path: Path, *, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file, with what the environment lays over it.

    Raises:
        ConfigError: The core can not be used with it; lists the reasons.
    """
    document = read_document(path)
    config = build(document, environ=environ)
    document.keep_good()
    return config


def build(document: Document, *, environ: Mapping[str, str] = os.environ) -> Config:
    """Return the configuration that a document stands for.

    Raises:
        ConfigRefused: The core can not be used with it; lists the reasons.
    """
    data, moved = migrate(document.data)
    twice: list[KeyPath] = []
    data = canonical(data, CoreSettings, twice=twice)
    effective, texts, astray = overlay(data, environ, "NANOBOT_")
    _remember(effective)
    core, fatal, rest = validate_core(effective, environ, texts)
    fatal += map(_twice, twice)
    findings = (*document.findings, *moved, *astray, *rest)
    if core is None or fatal:
        message = f"{document.path}: {listed(fatal)}"
        refused = ConfigRefused(message, remedy=good_copy_remedy(document.path))
        refused.findings = (*fatal, *findings)
        raise refused
    return Config(
        document=replace(document, data=data),
        core=core,
        findings=findings,
        effective=effective,
        texts=texts,
        environ=environ,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A configuration that the core can use.

    Args:
        document: What the file holds, with older spellings moved; this is what gets saved.
        core: The core's own settings, validated and resolved.
        findings: What is worth knowing of the file and the core's settings.
        effective: The document with the environment laid over it; ``${VAR}`` unresolved.
        texts: Second readings of values from the environment, by path.
        environ: Where ``${VAR}`` is looked up.
    """

    document: Document
    core: CoreSettings
    findings: tuple[Finding, ...]
    effective: dict[str, Any] = field(repr=False)
    texts: Mapping[KeyPath, Any] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)

    def instance(self, workspace: Path | None = None) -> Instance:
        """Return the instance's places; the workspace may be another than the configured one."""
        try:
            folder = (workspace or Path(self.core.agents.defaults.workspace)).expanduser()
        except RuntimeError:
            raise ConfigError("agents.defaults.workspace: there is no such home folder") from None
        return Instance(config=self.document.path.absolute(), workspace=folder.absolute())

    def raw_section(self, path: str) -> dict[str, Any]:
        """Return a copy of the object at a dotted path, ``${VAR}`` unresolved; empty if unset.

        Raises:
            ConfigError: There is something else than an object.
        """
        return copy.deepcopy(self._object(tuple(path.split(".")))[1])

    def section_names(self, kind: str) -> tuple[str, ...]:
        """Return the names, as they are written, of the sections under a kind."""
        found = self.effective.get(kind)
        items = found.items() if isinstance(found, dict) else ()
        return tuple(name for name, value in items if isinstance(value, dict))

    def is_off(self, spec: Spec, kind: str) -> bool:
        """Say if a plugin's section switches it off; the section need not be valid for that."""
        found = lookup(self.effective, section_path(spec, kind))
        return isinstance(found, dict) and found.get("enabled", found.get("enable")) is False

    def section(self, spec: Spec, kind: str, *, name: str = "") -> PluginConfig:
        """Return a plugin's section, validated, with ``${VAR}`` resolved.

        Args:
            kind: The plugin's kind, such as ``providers``.
            name: Another section of the same kind, for a spec that adopts sections.

        Raises:
            ConfigError: The section does not fit; lists the reasons, and no value.
        """
        result = self.validated(spec, kind, name=name)
        if isinstance(result, tuple):
            raise ConfigError(f"{self.document.path}: {listed(result)}")
        return result

    def validated(
        self, spec: Spec, kind: str, *, name: str = ""
    ) -> PluginConfig | tuple[Finding, ...]:
        """Return a plugin's section as `section` does, or what is wrong with it."""
        try:
            path, found = self._object((kind, name) if name else section_path(spec, kind))
        except ConfigError as refused:
            return (error((), refused.message),)
        twice: list[KeyPath] = []
        canonical(found, spec.config, twice=twice, path=path)
        value, readings, unset = resolve(found, self.environ, path=path)
        if twice or unset:
            return (*map(_twice, twice), *unset)
        result = validate(spec.config, value, path=path, otherwise={**readings, **self.texts})
        if not isinstance(result, tuple):
            _remember(result)
        return result

    def _object(self, path: tuple[str, ...]) -> tuple[KeyPath, dict[str, Any]]:
        """Return the object at a path, empty if there is none, and the path as it is spelled."""
        data: Any = self.effective
        place: KeyPath = ()
        for part in path:
            found = [key for key in dict.fromkeys((part, camel(part), snake(part))) if key in data]
            if len(found) > 1:
                raise ConfigError(str(_twice((*place, found[1]))))
            data = data[found[0]] if found else None
            place = (*place, *found)
            if data is None:
                return path, {}
            if not isinstance(data, dict):
                raise ConfigError(f"{show(place)}: should be an object, found {kind_of(data)}")
        return place, data


def section_path(spec: Spec, kind: str) -> tuple[str, ...]:
    """Return where a plugin's section stands."""
    return tuple(spec.section.split(".")) if spec.section else (kind, camel(spec.name))


def _twice(path: KeyPath) -> Finding:
    return error(path, "is set in both spellings", "remove one")


def _remember(value: Any, key: str = "") -> None:
    """Mask, from now on, what the configuration holds as a secret."""
    if isinstance(value, Secret):
        remember_secret(value.reveal())
    elif isinstance(value, str):
        if "${" not in value and is_secret_name(key):
            remember_secret(value)
    elif isinstance(value, BaseModel):
        _remember([item for _, item in value])
    elif isinstance(value, dict):
        for name, item in value.items():
            _remember(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            _remember(item)
