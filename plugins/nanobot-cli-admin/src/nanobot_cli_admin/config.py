"""``nanobot config``: read, change, describe and check the configuration file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
from nanobot.admin import Config, build, judge, load, policy, scan
from nanobot.admin import read_document as read
from nanobot.errors import ConfigError
from nanobot.findings import Finding

from nanobot_cli_admin import edit
from nanobot_cli_admin.claims import check as claims
from nanobot_cli_admin.diagnosis import diagnose
from nanobot_cli_admin.jsonschema import json_schema
from nanobot_cli_admin.loading import describable, load_plugins
from nanobot_cli_admin.options import config_file, config_option
from nanobot_cli_admin.text import say, verdict


@click.group(no_args_is_help=True)
def command() -> None:
    """Show, change and check the configuration.

    A KEY is a path such as agents.defaults.model or providers.openai.apiKey.
    """


@command.command()
@config_option
def path(config_path: Path | None) -> None:
    """Print where the configuration file is."""
    say(str(config_file(config_path, must_exist=False).absolute()))


@command.command()
@click.argument("key")
@config_option
def get(key: str, config_path: Path | None) -> None:
    """Print a setting, or its default; secrets as ***."""
    config = load(config_file(config_path))
    value = edit.get(config, key, specs=_specs(config))
    say(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


@command.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a value
@click.argument("key")
@click.argument("value")
@config_option
def set_(key: str, value: str, config_path: Path | None) -> None:
    """Change a setting; VALUE is JSON where that fits, else text.

    The file is only changed if the result is valid.
    """
    file = config_file(config_path)
    config = _editable(file)
    specs = _specs(config)
    _refuse_unknown(config, key, value, specs)
    _tell(edit.put(config, key, value, specs=specs)[1])
    shown = json.dumps(edit.get(_editable(file), key, specs=specs), ensure_ascii=False)
    say(f"{key} = {shown}   ({file})")


@command.command()
@click.argument("key")
@config_option
def unset(key: str, config_path: Path | None) -> None:
    """Remove a setting from the file, so that its default applies."""
    file = config_file(config_path)
    config = _editable(file)
    _tell(edit.unset(config, key, specs=_specs(config))[1])
    say(f"{key} is not set any more   ({file})")


@command.command()
@config_option
def schema(config_path: Path | None) -> None:
    """Print the JSON Schema of the file.

    It describes the sections of all installed plugins too.
    """
    document = diagnose(config_file(config_path), os.environ).document
    specs = load_plugins(describable(document, os.environ)).specs
    say(json.dumps(json_schema(specs), indent=2, ensure_ascii=False))


@command.command()
@config_option
def check(config_path: Path | None) -> None:
    """List all problems of the file at once.

    The exit status is 1 if one is an error.
    """
    file = config_file(config_path)
    diagnosis = diagnose(file, os.environ)
    loaded = load_plugins(judge(scan(), policy(diagnosis.document, os.environ)))
    findings = (*diagnosis.findings, *diagnosis.claims(loaded))
    for finding in findings:
        say(verdict(finding.severity, str(finding)))
    if not findings:
        say(f"{file}: no problem was found")
    if any(finding.severity == "error" for finding in findings):
        sys.exit(1)


def _editable(file: Path) -> Config:
    """Return the configuration; one that can not be used can still be put right piece by piece."""
    try:
        return load(file)
    except ConfigError:
        document = read(file)
        return replace(build(replace(document, data={})), document=document)


def _refuse_unknown(config: Config, key: str, value: str, specs: edit.Specs) -> None:
    """Raise ConfigError for a misspelt key, which a file may hold but a command need not write."""
    try:
        data = edit._with(config, key, value)
        changed = build(replace(config.document, data=data), environ=config.environ)
    except ConfigError:
        return  # saving says why
    known = {*config.findings, *claims(config, specs)}
    for finding in (*changed.findings, *claims(changed, specs)):
        if finding.message.startswith("unknown ") and finding not in known:
            raise ConfigError(f"nothing was saved: {finding}")


def _specs(config: Config) -> edit.Specs:
    return load_plugins(describable(config.effective, os.environ)).specs


def _tell(news: Iterable[Finding]) -> None:
    for finding in news:
        say(f"{finding.severity.capitalize()}: {finding}", err=True)
