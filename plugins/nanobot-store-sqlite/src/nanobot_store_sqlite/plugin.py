"""Registers the store."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_gateway.specs import StoreSpec

from nanobot_store_sqlite.config import SqliteConfig


@hookimpl
def nanobot_stores() -> Iterable[StoreSpec]:
    """Offer the store in one SQLite file."""
    yield StoreSpec(
        name="sqlite",
        factory="nanobot_store_sqlite.store:open_store",
        config=SqliteConfig,
        title="SQLite",
        section="gateway.store",
    )
