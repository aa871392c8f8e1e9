"""Which accounts of which channels the configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nanobot.admin import Config, Parts, Plugin, install_hint
from nanobot.errors import ConfigError, NanobotError
from nanobot_settings.spelling import snake
from nanobot_settings.validation import validate

from nanobot_gateway.access import name_of
from nanobot_gateway.config import ChannelConfig, ChannelDefaults
from nanobot_gateway.delivery import Manners
from nanobot_gateway.intake import Account
from nanobot_gateway.specs import ChannelSpec

_GLOBALS = tuple(field.alias or name for name, field in ChannelDefaults.model_fields.items())


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An account that is to be connected.

    Args:
        plugin: The channel.
        account: The account, with its settings.
    """

    plugin: Plugin
    account: Account


def defaults_of(config: Config) -> ChannelDefaults:
    """Return the settings in `channels` that hold for all.

    Raises:
        ConfigError: They are not valid.
    """
    section = config.raw_section("channels")
    found = {key: section[key] for key in (*_GLOBALS, *map(snake, _GLOBALS)) if key in section}
    made = validate(ChannelDefaults, found, path=("channels",), otherwise={})
    if isinstance(made, tuple):
        raise ConfigError(f"{config.document.path}: {'; '.join(map(str, made))}")
    return made


def wanted(
    parts: Parts, channel_of: Callable[[str], Any], problems: dict[str, str]
) -> Iterator[Wanted]:
    """Yield the accounts that the configuration switches on.

    Args:
        channel_of: Returns the open channel of an account by its name.
        problems: Receives why others can not be connected, by their id.
    """
    common = defaults_of(parts.config)
    hints = parts.config.core.agents.defaults.tool_hint_max_length
    for written in parts.config.section_names("channels"):
        name = snake(written)
        raw = parts.config.effective["channels"][written]
        if not _is_on(raw):
            continue
        plugin = _plugin(parts, name)
        if plugin is None:
            problems[f"channels.{name}"] = _why_not(parts, name)
            continue
        try:
            section = parts.sections(plugin.spec, "channels")
            assert isinstance(section, ChannelConfig) and isinstance(plugin.spec, ChannelSpec)
            for account, settings in _accounts(section):
                where = name_of(name, account)
                yield Wanted(
                    plugin=plugin,
                    account=Account(
                        channel=name,
                        account=account,
                        section=settings,
                        manners=_manners(plugin.spec, settings, common, channel_of, where, hints),
                    ),
                )
        except NanobotError as error:
            problems[f"channels.{name}"] = error.message


def _is_on(raw: Mapping[str, Any]) -> bool:
    """Tell whether a section connects something: the section itself, or an account in it."""
    accounts = raw.get("accounts")
    inner = accounts.values() if isinstance(accounts, dict) else ()
    on = raw.get("enabled", raw.get("enable", False))
    return bool(on) or any(isinstance(a, dict) and a.get("enabled") is True for a in inner)


def _plugin(parts: Parts, name: str) -> Plugin | None:
    parts.host.load("channels", [name])
    parts.registry.forget("channels")
    return parts.registry.plugins("channels").get(name)


def _why_not(parts: Parts, name: str) -> str:
    for status in parts.host.statuses():
        if status.entry.id == f"channels.{name}":
            return f"{status.state}: {status.reason}"
    hint = install_hint("channels", name)
    return f"is switched on, but no installed plugin reads it; {hint}"


def _accounts(section: ChannelConfig) -> Iterator[tuple[str, ChannelConfig]]:
    """Yield the section itself and its accounts, each with the section's fields as defaults."""
    if section.enabled:
        yield "default", section
    base = {name: getattr(section, name) for name in section.model_fields_set}
    base.pop("accounts", None)
    for name, own in section.accounts.items():
        merged: dict[str, Any] = {**base, "enabled": True}
        merged.update({snake(key): value for key, value in own.items()})
        made = type(section).model_validate(merged)
        if made.enabled:
            yield snake(name), made


def _manners(
    spec: ChannelSpec,
    settings: ChannelConfig,
    common: ChannelDefaults,
    channel_of: Callable[[str], Any],
    name: str,
    hint_length: int,
) -> Manners:
    def chosen(own: bool | None, general: bool) -> bool:
        return general if own is None else own

    return Manners(
        spec=spec,
        channel=lambda: channel_of(name),
        streaming=settings.streaming,
        progress=chosen(settings.send_progress, common.send_progress),
        hints=chosen(settings.send_tool_hints, common.send_tool_hints),
        reasoning=chosen(settings.show_reasoning, common.show_reasoning),
        hint_length=hint_length,
    )
