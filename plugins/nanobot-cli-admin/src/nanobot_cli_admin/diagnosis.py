"""All that is wrong with a configuration file, even with one that the core can not use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nanobot.admin import Config, ConfigRefused, CoreSettings, Document, build
from nanobot.admin import read_document as read
from nanobot.errors import ConfigError
from nanobot.findings import Finding
from nanobot_settings.keys import own_keys

from nanobot_cli_admin.claims import check
from nanobot_cli_admin.loading import Loaded


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
    except ConfigRefused as error:
        return Diagnosis(
            config=None,
            sections=_sections(document, environ),
            document=document.data,
            findings=error.findings,
        )
    return Diagnosis(
        config=config, sections=config, document=config.effective, findings=config.findings
    )


def _from(error: ConfigError) -> Finding:
    return Finding(path="", severity="error", message=error.message, remedy=error.remedy)


def _sections(document: Document, environ: Mapping[str, str]) -> Config | None:
    """Return a configuration without the core's own settings, so that the rest can be checked."""
    own = {*own_keys(CoreSettings), *CoreSettings.model_fields} - {"tools", "channels"}
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
