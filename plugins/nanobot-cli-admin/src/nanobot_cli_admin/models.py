"""``nanobot models``: what the vendors offer, and which provider answers for a model."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from nanobot.admin import Config, install_hint, judge, load, open_router, policy, scan
from nanobot.errors import ConfigError, PluginMissing
from nanobot.routing import Route
from nanobot_settings.spelling import snake

from nanobot_cli_admin.catalogue import Offer, offers
from nanobot_cli_admin.loading import Loaded, load_plugins
from nanobot_cli_admin.options import config_file, config_option
from nanobot_cli_admin.setups import Setup, setups
from nanobot_cli_admin.survey import assembled
from nanobot_cli_admin.text import aligned, mark, one_line, say, wrapped

provider_option = click.option("-p", "--provider", default="", help="Only this provider.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(no_args_is_help=True)
def command() -> None:
    """List the models of the vendors that are set up, and tell who answers for one."""


@command.command("list")
@config_option
@provider_option
@click.option("--refresh", is_flag=True, help="Ask anew; answers are kept for an hour.")
@json_option
def list_(config_path: Path | None, provider: str, refresh: bool, as_json: bool) -> None:
    """List what the vendors that are set up offer right now.

    All are asked side by side. The exit status is 1 if none could tell.
    """
    config, loaded = _instance(config_path)
    vendors = _vendors(config, loaded, snake(provider))
    found = asyncio.run(offers(config, loaded, os.environ, vendors, refresh=refresh))
    if as_json:
        say(json.dumps([_as_json(offer) for offer in found], indent=2, ensure_ascii=False))
    else:
        for number, offer in enumerate(found):
            if number:
                say()
            _print(offer)
    if all(offer.problem for offer in found):
        sys.exit(1)


def _instance(config_path: Path | None) -> tuple[Config, Loaded]:
    config = load(config_file(config_path))
    return config, load_plugins(judge(scan(), policy(config.effective, os.environ)))


def _vendors(config: Config, loaded: Loaded, provider: str) -> Sequence[Setup]:
    """Return whom to ask: the named one, or all that the user has set up."""
    known = [*setups(config, loaded, os.environ)]
    if provider:
        named = [setup for setup in known if setup.name == provider]
        return named or _missing(provider, loaded)
    chosen = [setup for setup in known if setup.ready and setup.chosen]
    if not chosen:
        raise ConfigError(
            "no vendor is set up", remedy="nanobot status   shows what each one that is there needs"
        )
    return chosen


def _missing(provider: str, loaded: Loaded) -> Sequence[Setup]:
    for status in loaded.statuses:
        if status.entry.id == f"providers.{provider}":
            what = f"provider {provider!r} is {status.state}: {status.reason}"
            remedy = f"nanobot plugins check providers.{provider}"
            raise PluginMissing(what, plugin=status.entry.id, remedy=remedy)
    raise PluginMissing(
        f"provider {provider!r} is not installed",
        plugin=f"providers.{provider}",
        remedy=install_hint("providers", provider),
    )


def _as_json(offer: Offer) -> dict[str, Any]:
    moment = datetime.fromtimestamp(offer.asked_at, UTC).isoformat(timespec="seconds")
    return {
        "provider": offer.provider,
        "models": [{"id": m.id, "contextWindow": m.context_window} for m in offer.models],
        "askedAt": "" if offer.problem else moment,
        "problem": offer.problem,
    }


def _print(offer: Offer) -> None:
    if offer.problem:
        say(wrapped(f"{mark(False)} {offer.provider}: {one_line(offer.problem)}", 2, first=0))
        return
    count = len(offer.models)
    say(f"{mark(True)} {offer.provider}: {count} model{'' if count == 1 else 's'}")
    rows = [
        (model.id, f"{model.context_window:,} tokens" if model.context_window else "")
        for model in offer.models
    ]
    for line in aligned(rows, indent=2) if rows else ():
        say(line)


@command.command()
@click.argument("model")
@config_option
@provider_option
@json_option
def route(model: str, config_path: Path | None, provider: str, as_json: bool) -> None:
    """Tell which provider answers for a model, and why.

    The exit status is 1 if none does.
    """
    config, loaded = _instance(config_path)
    found, notices = asyncio.run(_routed(config, loaded, model, provider or "auto"))
    states = {setup.name: setup for setup in setups(config, loaded, os.environ)}
    setup = states.get(found.provider)
    lacks = setup if provider and setup and not setup.ready else None
    if as_json:
        facts = {**asdict(found), "notices": notices, "problem": lacks.state if lacks else ""}
        say(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        say(f"{found.provider}/{found.model}: {found.reason}")
        for notice in notices:
            if found.reason not in notice:
                say(wrapped(notice, 2))
        if lacks:
            say(f"Error: its provider is {lacks.state}\n{lacks.remedy}".rstrip(), err=True)
    if lacks:
        sys.exit(1)


async def _routed(
    config: Config, loaded: Loaded, model: str, provider: str
) -> tuple[Route, list[str]]:
    async with assembled(config, loaded, os.environ) as parts:
        router = await open_router(parts)
        found = await router.route(model, provider)
        return found, list(dict.fromkeys(router.notices))
