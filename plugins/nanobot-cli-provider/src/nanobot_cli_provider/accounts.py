"""The providers that are used with a login: which there are, and who is signed in."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nanobot.admin import Config, Host, Plugin, Sections, Status, judge, load, policy, scan
from nanobot.errors import ConfigError
from nanobot_oauth.config import OAuthConfig, configured, section_of
from nanobot_oauth.specs import OPTION, Login
from nanobot_oauth.tokens import TokenStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A provider with a login, as an instance has it.

    Args:
        name: Name of the provider.
        title: What people call it.
        login: How one signs in, with what the configuration changes about it.
        store: Where the tokens are kept.
        proxy: Proxy URL, as configured.
        has_key: The configuration holds a key, which is used in place of the login.
        model: A model to begin with, empty when the provider names none.
    """

    name: str
    title: str
    login: Login
    store: TokenStore
    proxy: str | None = None
    has_key: bool = False
    model: str = ""


def find(path: Path, name: str) -> Account:
    """Return the account of the named provider; no other provider is imported.

    Args:
        path: The configuration file; need not exist.

    Raises:
        ConfigError: There is no such provider, it can not be used, or it has no login.
    """
    wanted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    config, host = _host(path)
    host.load("providers", [wanted])
    for plugin in host.collect("providers"):
        if plugin.spec.name == wanted:
            account = _account(plugin, config, host)
            if account is None:
                raise ConfigError(
                    f"provider {wanted!r} is used with a key and has no login",
                    remedy=f"nanobot config set {section_of(wanted)}.apiKey KEY",
                )
            return account
    raise _missing(wanted, host.statuses())


def all_accounts(path: Path) -> Sequence[Account]:
    """Return the accounts of all installed providers that have a login."""
    config, host = _host(path)
    host.load("providers")
    found = (_account(plugin, config, host) for plugin in host.collect("providers"))
    return [account for account in found if account is not None]


def _host(path: Path) -> tuple[Config, Host]:
    config = load(path)
    return config, Host(judge(scan(), policy(config.effective, os.environ)))


def _account(plugin: Plugin, config: Config, host: Host) -> Account | None:
    spec = plugin.spec
    login = spec.options.get(OPTION)
    if not isinstance(login, Login):
        return None
    section = Sections(config, host, os.environ)(spec, "providers")
    if not isinstance(section, OAuthConfig):  # switched off: nothing of it counts
        section = OAuthConfig()
    login = configured(login, section, section_of(spec.name))
    return Account(
        name=spec.name,
        title=spec.title or spec.name,
        login=login,
        store=TokenStore(config.instance().plugin_data(plugin.id), login),
        proxy=section.proxy,
        has_key=section.api_key is not None,
        model=getattr(spec, "default_model", ""),
    )


def _missing(name: str, statuses: Sequence[Status]) -> ConfigError:
    for status in statuses:
        if status.entry.id == f"providers.{name}":
            return ConfigError(
                f"provider {name!r} is {status.state}: {status.reason}",
                remedy=f"nanobot plugins check {status.entry.id}",
            )
    return ConfigError(
        f"provider {name!r} is not installed",
        remedy=f"pip install nanobot-provider-{name.replace('_', '-')}   "
        "(nanobot provider list shows what is there)",
    )
