"""``nanobot usage``: what model calls have cost, and the price table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from nanobot.admin import Config, load
from nanobot.context import SystemClock
from nanobot.errors import ConfigError
from nanobot.paths import default_config_path

from nanobot_usage.config import Price, UsageConfig
from nanobot_usage.fetching import fetch
from nanobot_usage.journal import FOLDER, Call, Tail
from nanobot_usage.plugin import nanobot_middleware
from nanobot_usage.prices import Prices, Table, open_prices, shipped, store, stored
from nanobot_usage.report import GROUPINGS, aligned, cells, grouped, start_of, table, total


@click.group(invoke_without_command=True)
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=default_config_path,
    help="Configuration file (default: ~/.nanobot/config.json).",
)
@click.option("--by", type=click.Choice(GROUPINGS), default="day", help="Group the calls by this.")
@click.option("--since", default="30d", help="today, month, 7d, 24h or a date (default: 30d).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(ctx: click.Context, config_path: Path, by: str, since: str, as_json: bool) -> None:
    """Show what model calls have cost, or look after the price table."""
    config = _load(config_path)
    ctx.obj = config
    if ctx.invoked_subcommand is None:
        _report(config, by, since, as_json)


def _load(path: Path) -> Config:
    path = path.expanduser().absolute()
    if path != default_config_path() and not path.exists():
        raise ConfigError(
            f"configuration file not found: {path}", remedy=f"nanobot onboard --config {path}"
        )
    return load(path)


def _report(config: Config, by: str, since: str, as_json: bool) -> None:
    clock = SystemClock()
    zone = _zone(config)
    start = start_of(since, clock.now().astimezone(zone))
    tail = Tail(_folder(config), start.timestamp(), clock)
    prices = open_prices(_folder(config), _own_prices(config))
    calls = [
        _priced(entry, prices)
        for entry in tail.read()
        if isinstance(entry, Call) and entry.at >= start.timestamp()
    ]
    sums = grouped(calls, by, zone)
    if as_json:
        report = {
            "since": start.isoformat(timespec="seconds"),
            "by": by,
            "rows": [{by: name, **part.as_json()} for name, part in sums.items()],
            "total": total(calls).as_json(),
            "damagedLines": tail.skipped,
        }
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    if not calls:
        click.echo(f"No model was called since {start:%Y-%m-%d %H:%M}.")
    else:
        rows = [*table(sums, by), ("total", *cells(total(calls)))]
        click.echo("\n".join(aligned(rows)))
    if tail.skipped:
        click.echo(f"{tail.skipped} damaged lines of the journal were passed over.", err=True)


def _priced(call: Call, prices: Prices) -> Call:
    """Return a call with its price, where that was not known yet when it was made."""
    if call.cost is not None:
        return call
    return replace(call, cost=prices.cost((call.model,), call.billed, call.at))


@command.command()
@click.option("--update", "source", metavar="URL|FILE", help="Use the price table found there.")
@click.option("--model", help="Show the price of this model.")
@click.pass_obj
def prices(config: Config, source: str | None, model: str | None) -> None:
    """Show where the prices are from, the price of a model, or take in a newer table."""
    folder = _folder(config)
    if source:
        fetched = fetch(source)
        store(folder, fetched)
        click.echo(f"Stored prices of {fetched.count} models, of {fetched.day}.")
    elif model:
        found = open_prices(folder, _own_prices(config)).find(model)
        if found is None:
            raise click.ClickException(f"the price of {model} is not known; set usage.prices")
        click.echo(found.model_dump_json(by_alias=True, exclude_none=True, indent=2))
    else:
        _list_tables({"shipped": shipped(), "updated": stored(folder)})
        click.echo(f"your own: {len(_own_prices(config))} models")


def _list_tables(tables: Mapping[str, Table | None]) -> None:
    for name, found in tables.items():
        if found is not None:
            click.echo(f"{name}: {found.count} models, of {found.day}")
            for vendor in found.vendors:
                click.echo(f"  {vendor.name}: {len(vendor.models)} ({vendor.source})")


def _folder(config: Config) -> Path:
    return config.instance().plugin_data(FOLDER)


def _own_prices(config: Config) -> dict[str, Price]:
    (spec,) = (spec for spec in nanobot_middleware() if spec.name == "usage")
    section = config.section(spec, "middleware")
    return section.prices if isinstance(section, UsageConfig) else {}


def _zone(config: Config) -> tzinfo:
    defaults = config.core.agents.defaults
    if defaults.timezone_mode == "auto":
        return datetime.now().astimezone().tzinfo or UTC
    return ZoneInfo(defaults.timezone)
