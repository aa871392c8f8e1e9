"""The store itself: what the gateway calls."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from nanobot.context import Clock, PluginContext
from nanobot.errors import StorageError
from nanobot.log import Logger
from nanobot_gateway.store import Delivery, InboxRow, OutboxRow, UsageRow

from nanobot_store_sqlite import operations
from nanobot_store_sqlite.config import SqliteConfig
from nanobot_store_sqlite.database import Database
from nanobot_store_sqlite.faults import explain, is_broken
from nanobot_store_sqlite.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

DAY_S = 86_400.0
PRUNE_EVERY_S = 3600.0
PRUNE_AGAIN_S = 0.5


class SteadyTime:
    """Seconds since the epoch that never go back and never leap.

    The machine's clock counts once, for a new file; from there on time passes as it does for a
    stopwatch that is stopped with the store. So nothing grows old because a clock was wrong, and
    what is kept for a week is kept for a week of work.

    Args:
        clock: The machine's clock.
        last_seen: The latest time that is in the file.
    """

    def __init__(self, clock: Clock, last_seen: float) -> None:
        self._clock = clock
        self._offset = (last_seen or clock.now().timestamp()) - clock.monotonic()

    def now(self) -> float:
        """Return the time."""
        return self._offset + self._clock.monotonic()


class SqliteStore:
    """A `nanobot_gateway.store.Store` in one file.

    Args:
        database: The file, opened.
        config: How long what is finished is kept.
        clock: The machine's clock.
        last_seen: The latest time that is in the file.
        log: Takes what the owner should know.
    """

    def __init__(
        self,
        database: Database,
        config: SqliteConfig,
        clock: Clock,
        last_seen: float,
        log: Logger,
    ) -> None:
        self._database = database
        self._config = config
        self._clock = clock
        self._time = SteadyTime(clock, last_seen)
        self._marked = False
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="nanobot-store-read")
        self._writer = Writer(database, log)
        self._upkeep = asyncio.create_task(self._prune())

    # --- changes --------------------------------------------------------------------------------

    async def accept(self, row: InboxRow) -> bool:
        """Keep a message; False when its key is known."""
        return await self._writer.submit(operations.accept, self._time.now(), row)

    async def finish(
        self,
        inbox: Sequence[str],
        outbox: Sequence[OutboxRow] = (),
        usage: Sequence[UsageRow] = (),
    ) -> None:
        """Let messages be done with and keep what they led to, all or nothing."""
        await self._writer.submit(
            operations.finish, self._time.now(), tuple(inbox), tuple(outbox), tuple(usage)
        )

    async def mark(
        self, id: str, state: Delivery, *, platform_id: str = "", error: str = ""
    ) -> None:
        """Note how far a delivery has come; it is stored with the next commit, or soon by itself.

        That a delivery begins survives a kill when this returns: else it might happen twice.
        While nothing can be stored, notes are kept in memory and stored as soon as that works.
        """
        self._marked = True
        facts = (self._time.now(), id, state, platform_id, error)
        self._writer.post(operations.mark, *facts, lazy=state is not Delivery.SENDING)
        if state is Delivery.SENDING:
            with suppress(StorageError):  # the note is kept in memory then
                await self._writer.follow()

    async def claim(self, job: str, occurrence: str) -> bool:
        """Take an occurrence of a schedule; False when it was taken before."""
        return await self._writer.submit(operations.claim, self._time.now(), job, occurrence)

    async def put(self, area: str, key: str, value: bytes | None) -> None:
        """Keep a small value; None removes it."""
        await self._writer.submit(operations.put, area, key, value)

    # --- questions ------------------------------------------------------------------------------

    async def unfinished(self) -> Sequence[InboxRow]:
        """Return the messages that are not done with, in the order of their acceptance."""
        return await self._read(operations.unfinished)

    async def undelivered(self) -> Sequence[OutboxRow]:
        """Return the messages that are not delivered, in the order in which they were kept."""
        return await self._read(operations.undelivered)

    async def delivery(self, id: str) -> OutboxRow | None:
        """Return a row of the outbox, None when there is none."""
        return await self._read(operations.delivery, id)

    async def items(self, area: str) -> Mapping[str, bytes]:
        """Return the values of an area by key, in the order in which they were first kept."""
        return await self._read(operations.items, area)

    async def usage(self, since: float, until: float) -> Sequence[UsageRow]:
        """Return what was used from `since` on and before `until`, in the order of its keeping."""
        return await self._read(operations.usage, since, until)

    async def healthy(self) -> str:
        """Say why nothing can be stored, found out by storing something; empty when all is well."""
        try:
            await self._writer.ask(operations.probe)
        except StorageError as error:
            return error.message
        return ""

    # --- the rest -------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Store what waits and free the file."""
        self._upkeep.cancel()
        try:
            await asyncio.wait({self._upkeep})
            await self._writer.aclose()
        finally:  # also when it is cancelled
            self._threads.shutdown()
            self._database.close()

    async def _read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        if self._marked:
            self._marked = False
            with suppress(StorageError):  # a disk that is full can still be read
                await self._writer.follow()
        try:
            return await self._ask(work, *args, **named)
        except sqlite3.Error as error:
            if not is_broken(error):
                raise explain(error, self._database.path) from error
        await self._writer.ask(operations.verify)  # puts a broken file in order
        try:
            return await self._ask(work, *args, **named)
        except sqlite3.Error as error:
            raise explain(error, self._database.path) from error

    async def _ask(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        loop = asyncio.get_running_loop()
        try:
            answer = self._threads.submit(lambda: self._database.read(work, *args, **named))
        except RuntimeError:
            raise StorageError(f"the store {self._database.path} is closed") from None
        return await asyncio.wrap_future(answer, loop=loop)

    async def _prune(self) -> None:
        while True:
            now = self._time.now()
            finished, history = self._config.keep_days * DAY_S, self._config.history_days * DAY_S
            more = False
            with suppress(StorageError):  # a fault is reported by the writer
                more = await self._writer.ask(operations.prune, now - finished, now - history)
            await self._clock.sleep(PRUNE_AGAIN_S if more else PRUNE_EVERY_S)


@asynccontextmanager
async def open_store(config: SqliteConfig, context: PluginContext) -> AsyncIterator[SqliteStore]:
    """Open the store; a second opening of the same file is refused."""
    path = _path(config, context)
    database = Database(path, config.durability == "full", context.log)
    opening = asyncio.create_task(asyncio.to_thread(_open, database))
    try:
        last = await asyncio.shield(opening)
    except BaseException:
        await asyncio.wait({opening})  # a cancellation must not leave the file locked
        await asyncio.to_thread(database.close)
        raise
    store = SqliteStore(database, config, context.clock, last, context.log)
    try:
        yield store
    finally:
        await store.aclose()


def _open(database: Database) -> float:
    try:
        database.open()
        return database.read(operations.last_seen)
    except (sqlite3.Error, OSError) as error:
        raise explain(error, database.path) from error


def _path(config: SqliteConfig, context: PluginContext) -> Path:
    data = context.data.parent.parent  # the instance's folder: `context.data` is two levels below
    return (data / Path(config.path or "state.db").expanduser()).resolve()
