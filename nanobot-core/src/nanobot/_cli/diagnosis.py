"""All that is wrong with a configuration file, even with one that the core can not use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nanobot._cli.loading import Loaded
from nanobot._config import Config, Finding, build, check
from nanobot._config.config import _twice
from nanobot._config.core import validate_core
from nanobot._config.document import Document, read
from nanobot._config.environment import overlay
from nanobot._config.keys import Path as KeyPath
from nanobot._config.keys import canonical, own_keys
from nanobot._config.migrate import migrate
from nanobot._config.schema import Root
from nanobot.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What was found in a configuration file.

    Args:
        config: The configuration, None when the core can not use it.
        sections: The part of it that plugins read, None when not even that can be had.
        document: What the file holds, empty when it can not be read.
        findings: What there is to say of the file and the core's settings.
    """

    config: Config | None
    sections: Config | None
    document: Mapping[str, Any]
    findings: tuple[Finding, ...]

    def claims(self, loaded: Loaded) -> tuple[Finding, ...]:
        """Return what there is to say of plugins' sections."""
        if self.sections is None:
            return ()
        return check(self.sections, loaded.specs, installed=loaded.names)


def diagnose(path: Path, environ: Mapping[str, str]) -> Diagnosis:
    """Read and check a configuration file; never raises for what it holds."""
    try:
        document = read(path)
    except ConfigError as error:
        finding = _from(error)
        return Diagnosis(config=None, sections=None, document={}, findings=(finding,))
    try:
        config = build(document, environ=environ)
    except ConfigError:
        sections = _sections(document, environ)
        findings = (*document.findings, *_reasons(document, environ))
        return Diagnosis(config=None, sections=sections, document=document.data, findings=findings)
    return Diagnosis(
        config=config, sections=config, document=config.effective, findings=config.findings
    )


def _from(error: ConfigError) -> Finding:
    return Finding(path="", severity="error", message=error.message, remedy=error.remedy)


def _reasons(document: Document, environ: Mapping[str, str]) -> list[Finding]:
    """Return why the core can not use a document; the error that says so names ten at most."""
    data, moved = migrate(document.data)
    twice: list[KeyPath] = []
    effective, texts, astray = overlay(canonical(data, Root, twice=twice), environ)
    _, fatal, findings = validate_core(effective, environ, texts)
    return [*fatal, *map(_twice, twice), *moved, *astray, *findings]


def _sections(document: Document, environ: Mapping[str, str]) -> Config | None:
    """Return a configuration without the core's own settings, so that the rest can be checked."""
    own = {*own_keys(Root), *Root.model_fields} - {"tools", "channels"}
    data = {key: value for key, value in document.data.items() if key not in own}
    for kind in ("tools", "channels"):
        found = data.get(kind)
        if isinstance(found, dict):
            data[kind] = {key: value for key, value in found.items() if isinstance(value, dict)}
        else:
            data.pop(kind, None)
    try:
        return build(replace(document, data=data), environ=environ)
    except ConfigError:
        return None
