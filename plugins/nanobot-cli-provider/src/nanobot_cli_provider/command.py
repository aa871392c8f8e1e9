"""``nanobot provider``: sign in with model vendors, and out again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from nanobot.context import SystemClock
from nanobot.errors import ConfigError
from nanobot.paths import default_config_path
from nanobot_oauth.flows import Way, sign_in
from nanobot_oauth.issuer import Issuer

from nanobot_cli_provider.accounts import Account, all_accounts, find
from nanobot_cli_provider.terminal import Terminal

F = TypeVar("F", bound=Callable[..., Any])


def _config_option(function: F) -> F:
    return click.option(
        "-c",
        "--config",
        "path",
        type=click.Path(path_type=Path),
        default=default_config_path,
        help="Configuration file (default: ~/.nanobot/config.json).",
    )(function)


@click.group()
def command() -> None:
    """Sign in with model vendors, and out again."""


@command.command()
@click.argument("name")
@_config_option
@click.option("--device", "way", flag_value="device", help="Enter a code on any device.")
@click.option("--paste", "way", flag_value="paste", help="The browser runs on another machine.")
@click.option("--browser", "way", flag_value="browser", help="A browser on this machine.")
@click.option("--no-open", is_flag=True, help="Print the address and open no browser.")
def login(name: str, path: Path, way: Way | None, no_open: bool) -> None:
    """Sign in with the provider NAME, such as openai-codex.

    Without an option the vendor's preferred way is taken.
    """
    account = find(path.expanduser(), name)
    ways = account.login.ways
    if way is not None and way not in ways:
        raise ConfigError(
            f"provider {account.name!r} has no such sign-in",
            remedy=f"Use one of: {', '.join(f'--{known}' for known in ways)}",
        )
    chosen: Any = way or ways[0]
    issuer = Issuer(account.login, SystemClock(), provider=account.name, proxy=account.proxy)
    tokens = asyncio.run(sign_in(issuer, Terminal(opens=not no_open), chosen))
    account.store.save(tokens)
    click.echo(f"Signed in with {account.title}. The login is kept in {account.store.path}")
    if account.has_key:
        click.echo("The configuration holds a key for it, which is used in place of the login.")
    if account.model:
        model = f"{account.name}/{account.model}"
        click.echo(f"Next: nanobot config set agents.defaults.model {model}")


@command.command()
@click.argument("name")
@_config_option
def logout(name: str, path: Path) -> None:
    """Forget the login with the provider NAME."""
    account = find(path.expanduser(), name)
    found = account.store.delete()
    was = "Signed out of" if found else "Nobody was signed in with"
    click.echo(f"{was} {account.title}.")


@command.command("list")
@_config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_accounts(path: Path, as_json: bool) -> None:
    """Show which providers have a login, and who is signed in."""
    _show(path, as_json)


@command.command()
@_config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(path: Path, as_json: bool) -> None:
    """Do the same as list."""
    _show(path, as_json)


def _show(path: Path, as_json: bool) -> None:
    accounts = all_accounts(path.expanduser())
    if as_json:
        click.echo(json.dumps([_facts(account) for account in accounts], indent=2))
        return
    if not accounts:
        click.echo("No installed provider has a login; pip install nanobot-provider-openai-codex")
    width = max((len(account.name) for account in accounts), default=0)
    for account in accounts:
        click.echo(f"{account.name:<{width}}  {_state(account)}")


def _facts(account: Account) -> dict[str, object]:
    tokens = account.store.load()
    return {
        "name": account.name,
        "title": account.title,
        "signed_in": tokens is not None,
        "key": account.has_key,
        "expires_at": tokens.expires_at if tokens else None,
        "renews": bool(tokens and tokens.refresh),
    }


def _state(account: Account) -> str:
    tokens = account.store.load()
    if account.has_key:
        return "a key of the configuration is used"
    if tokens is None:
        return f"signed out; nanobot provider login {account.name.replace('_', '-')}"
    if tokens.refresh or tokens.expires_at is None:
        return "signed in"
    end = datetime.fromtimestamp(tokens.expires_at, UTC)
    return f"signed in until {end:%Y-%m-%d %H:%M} UTC, and can not be renewed"
