"""nanobot with one thing changed, most for negative controls: ``careless.py FLAW ARGUMENTS...``"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


def forgetful() -> None:
    """Let the store say that it has kept what it could not keep."""
    from nanobot.errors import StorageError
    from nanobot_store_sqlite.store import SqliteStore

    accept = SqliteStore.accept

    async def careless(self: SqliteStore, row: Any) -> bool:
        with suppress(StorageError):
            return await accept(self, row)
        return True

    SqliteStore.accept = careless  # type: ignore[method-assign]


def unlocked() -> None:
    """Let a gateway start whoever else runs."""
    from nanobot_gateway import gateway

    @contextmanager
    def free(instance: Any) -> Iterator[None]:
        yield

    vars(gateway)["held"] = free


def guessing() -> None:
    """Take a configuration that can not be read for an empty one."""
    from nanobot_documents import document

    vars(document)["_object"] = lambda path, content: {}


def hasty() -> None:
    """Let running turns have a second to end, not fifteen."""
    from nanobot_gateway.gateway import Gateway

    Gateway.drain.__defaults__ = (1.0,)


if __name__ == "__main__":
    globals()[sys.argv.pop(1)]()
    runpy.run_module("nanobot", run_name="__main__", alter_sys=True)
