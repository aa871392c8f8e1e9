"""What models cost: the table of the package, one that was fetched, and the user's own.

A model that is in none of them has no price; nothing is guessed from similar names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path

from nanobot.config import ConfigModel
from nanobot.errors import ConfigError
from nanobot.messages import BilledTokens
from nanobot.paths import write_private
from pydantic import Field, ValidationError

from nanobot_usage.config import Price, Rates
from nanobot_usage.journal import Cost

MAX_BYTES = 2_000_000
FILE = "prices.json"
_RELEASE = re.compile(r"[-@](20\d{2}-?\d{2}-?\d{2}|latest)$")


class Vendor(ConfigModel):
    """The models of one vendor."""

    name: str = Field(min_length=1, description="What people call it.")
    source: str = Field(default="", description="Where the prices are from.")
    models: dict[str, Price] = Field(description="Prices by model id; `*` stands for any text.")


class Table(ConfigModel):
    """Prices in dollars per million tokens."""

    day: date = Field(alias="date", description="When they held.")
    notes: str = Field(default="", description="What there is to know of them.")
    vendors: tuple[Vendor, ...] = Field(description="Vendors; the first one with a model wins.")

    @property
    def count(self) -> int:
        """Return how many models it has."""
        return sum(len(vendor.models) for vendor in self.vendors)


def parse(data: bytes, origin: str) -> Table:
    """Return a table.

    Raises:
        ConfigError: It is none; says why.
    """
    try:
        return Table.model_validate_json(data)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"{origin} is no price table: {place + ': ' if place else ''}{first['msg']}",
            remedy="The README of nanobot-usage shows what one looks like. Nothing was changed.",
        ) from None


@cache
def shipped() -> Table:
    """Return the table that comes with the package."""
    return parse(files("nanobot_usage").joinpath(FILE).read_bytes(), FILE)


def stored(folder: Path) -> Table | None:
    """Return the table that was fetched last, None if there is none.

    Raises:
        ConfigError: It is damaged, or can not be read.
    """
    try:
        data = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{folder / FILE} can not be read: {error.strerror or error}") from None
    return parse(data, str(folder / FILE))


def store(folder: Path, table: Table) -> None:
    """Keep a table that was fetched."""
    text = table.model_dump_json(by_alias=True, exclude_defaults=True)
    write_private(folder / FILE, text.encode())


class Prices:
    """Looks up what a call costs.

    Args:
        own: The user's prices, which go first.
        tables: Others, the first one with a model wins.
    """

    def __init__(self, own: Mapping[str, Price], tables: Iterable[Table]) -> None:
        vendors = (vendor.models for table in tables for vendor in table.vendors)
        self._exact: dict[str, Price] = {}
        self._patterns: list[tuple[str, Price]] = []
        for models in (own, *vendors):
            for name, price in models.items():
                if "*" in name:
                    self._patterns.append((name.lower(), price))
                else:
                    self._exact.setdefault(name.lower(), price)
        self._found: dict[str, Price | None] = {}

    def find(self, model: str) -> Price | None:
        """Return the price of a model; a dated release costs what its model does."""
        if model not in self._found:
            name = model.lower()
            self._found[model] = self._look(name) or self._look(_RELEASE.sub("", name))
        return self._found[model]

    def _look(self, name: str) -> Price | None:
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        return next((price for glob, price in self._patterns if fnmatchcase(name, glob)), None)

    def cost(self, models: Iterable[str], billed: BilledTokens, at: float) -> Cost | None:
        """Return what a call costs, None when no price is known.

        Args:
            models: Names of the model; the first one with a price counts.
            at: When it was made, in seconds since 1970.
        """
        for model in models:
            price = self.find(model)
            if price is not None:
                return cost(price, billed, at)
        return None


def cost(price: Price, billed: BilledTokens, at: float) -> Cost:
    """Return what some tokens cost at a price and time."""
    rates: Rates = price
    if price.peak is not None and any(_within(hours, at) for hours in price.peak.hours):
        rates = price.peak
    if price.above is not None and billed.input > price.above.tokens:
        rates = price.above
    read = rates.input if rates.cached_read is None else rates.cached_read
    write = rates.input if rates.cache_write is None else rates.cache_write
    plain = max(billed.input - billed.cached - billed.cache_write, 0)
    spent = plain * rates.input + billed.cached * read + billed.cache_write * write
    return Cost(input=round(spent * 1000), output=round(billed.output * rates.output * 1000))


def _within(hours: str, at: float) -> bool:
    start, end = hours.split("-")
    return start <= f"{datetime.fromtimestamp(at, UTC):%H:%M}" < end


def open_prices(folder: Path, own: Mapping[str, Price]) -> Prices:
    """Return the prices that hold for an instance: the newer table, before it the user's own."""
    tables = [shipped()]
    fetched = stored(folder)
    if fetched is not None:
        tables.insert(0 if fetched.day >= tables[0].day else 1, fetched)
    return Prices(own, tables)
