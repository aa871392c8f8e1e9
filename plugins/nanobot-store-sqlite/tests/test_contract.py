"""The store keeps the promises of every store."""

from typing import ClassVar

from nanobot_testing.contracts.store import StoreContract


class TestSqlite(StoreContract):
    plugin = "stores.sqlite"


class TestRelaxed(StoreContract):
    plugin = "stores.sqlite"
    config: ClassVar = {"durability": "relaxed"}
