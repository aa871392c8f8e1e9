"""Makes changes: all that wait at a time are one transaction, and one write to the disk.

The SQL runs in the event loop's thread, some ten microseconds a change, and only the commit, which
waits for the disk, runs in a thread beside it. A thread that ran the SQL as well would have to win
Python's global lock back after every statement; next to a busy loop that takes milliseconds each.
What may take long, and what is tried again after a fault, runs in the thread as a whole.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from sqlite3 import Connection
from sqlite3 import Error as SqliteError
from time import sleep
from typing import Any, Concatenate, ParamSpec, TypeVar

from nanobot.errors import StorageError
from nanobot.log import Logger

from nanobot_store_sqlite.database import Database
from nanobot_store_sqlite.faults import (
    REFUSALS,
    Broken,
    explain,
    is_broken,
    is_full,
    is_locked,
    refused,
)

P = ParamSpec("P")
T = TypeVar("T")

MOST_IN_LOOP = 500
"""Changes that may be made at once in the event loop's thread."""
MOST_KEPT = 2000
"""Changes that may wait for the end of a fault."""
RETRY_S = 1.0
NOTES_AFTER_S, MOST_NOTES = 0.1, 256
"""How long, and how many, lazy changes wait for one that is not."""
TURN_S, YIELD_S = 0.002, 0.0001
"""How often a busy event loop gives way to the thread, and for how long."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do in a transaction.

    Args:
        run: Does it.
        args: What it needs beside the connection.
        answer: Who waits for it; nobody for what is tried again until it is stored.
        durable: It must be on the disk before it is answered.
        slow: It may take too long for the event loop's thread.
        lazy: It may wait a moment for another job to go with.
    """

    run: Callable[..., Any]
    args: tuple[Any, ...]
    answer: asyncio.Future[Any] | None = None
    durable: bool = False
    slow: bool = False
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one transaction.

    Args:
        jobs: In their order.
        outcomes: What they gave; None when they are still to be done.
    """

    jobs: list[Job]
    outcomes: list[Any] | None


class Writer:
    """Runs jobs in their order.

    While a batch is with the thread, the event loop leaves the database alone; so the two never
    use the connection at the same time.

    Args:
        database: The file; opened by the caller, who closes it after the writer.
        log: Takes what the owner should know.
    """

    def __init__(self, database: Database, log: Logger) -> None:
        self._database = database
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Job] = []
        self._busy = False
        self._closed = self._ended = False
        self._fault: StorageError | None = None
        self._turn = self._retry = self._loop.call_later(0, lambda: None)
        self._idle = asyncio.Event()
        self._idle.set()
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._main, name="nanobot-store", daemon=True)
        self._thread.start()

    # --- for the store --------------------------------------------------------------------------

    def submit(
        self, run: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs
    ) -> asyncio.Future[T]:
        """Have a change made; the future has its result once that survives a crash."""
        answer = self._loop.create_future()
        self._put(Job(run, args, answer, durable=True))
        return answer

    def ask(
        self, run: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs
    ) -> asyncio.Future[T]:
        """Have something done, after all that came before, that may take a while."""
        answer = self._loop.create_future()
        self._put(Job(run, args, answer, slow=True))
        return answer

    def follow(self) -> asyncio.Future[None]:
        """Return what is done as soon as all that came before is, or has failed."""
        answer = self._loop.create_future()
        self._put(Job(_nothing, (), answer))
        return answer

    def post(self, run: Callable[..., None], *args: object, lazy: bool) -> None:
        """Have a change made; when it can not be stored it is tried again until it is.

        Args:
            run: Makes it, given the connection and the other arguments.
            lazy: It goes with the next change that is not, or by itself after a moment.

        Raises:
            StorageError: Too much waits already.
        """
        if self._fault and len(self._waiting) >= MOST_KEPT:
            raise explain(self._fault, self._database.path)
        self._put(Job(run, args, lazy=lazy))

    async def aclose(self) -> None:
        """Do what waits, as far as that is possible, and end; blocks for the last commit."""
        self._closed = True
        self._retry.cancel()
        try:
            if self._waiting and not self._busy:
                self._begin()
            await self._idle.wait()
        finally:  # also when it is cancelled
            self._ended = True
            self._turn.cancel()
            self._batches.put(None)
            self._thread.join()
            if self._waiting:
                self._log.error("changes were not stored", count=len(self._waiting))

    # --- the event loop's side ------------------------------------------------------------------

    def _put(self, job: Job) -> None:
        if self._closed:
            raise StorageError(f"the store {self._database.path} is closed")
        self._waiting.append(job)
        if self._busy:
            return
        self._idle.clear()
        if not job.lazy or len(self._waiting) == MOST_NOTES:
            self._busy = True
            self._loop.call_soon(self._begin)  # what comes in the same round goes with it
        elif len(self._waiting) == 1:
            self._retry = self._loop.call_later(NOTES_AFTER_S, self._begin_if_idle)

    def _begin(self) -> None:
        if self._ended:
            return
        self._busy = True
        self._idle.clear()
        jobs, self._waiting = self._waiting, []
        outcomes = None
        quick = len(jobs) <= MOST_IN_LOOP and not any(job.slow for job in jobs)
        if quick and self._database.ready:
            try:
                outcomes = self._perform(jobs, patient=False)
            except Exception:  # the thread tries again and deals with the fault
                self._database.roll_back()
        self._batches.put(Batch(jobs, outcomes))
        self._turn = self._loop.call_later(TURN_S, self._give_way)

    def _give_way(self) -> None:
        """Let the thread have Python's global lock for a moment.

        A loop that always has something to do gives the lock back for so short a time, and so
        often, that a waiting thread neither catches it nor ever gets to ask for it.
        """
        sleep(YIELD_S)
        self._turn = self._loop.call_later(TURN_S, self._give_way)

    def _finish(self, jobs: list[Job], outcomes: list[Any] | StorageError) -> None:
        """Take what became of a batch, and go on with what has come in meanwhile."""
        self._busy = False
        self._turn.cancel()
        waiting = self._waiting
        urgent = self._closed or len(waiting) >= MOST_NOTES
        more = bool(waiting) and (urgent or not all(job.lazy for job in waiting))
        if isinstance(outcomes, StorageError):
            self._answer(jobs, [explain(outcomes, self._database.path) for _ in jobs])
            self._waiting[:0] = [job for job in jobs if job.answer is None]
            self._again(RETRY_S)
        else:
            self._answer(jobs, outcomes)
            if self._waiting and not more:
                self._again(NOTES_AFTER_S)
                return
        if more:
            self._begin()
        else:
            self._idle.set()

    def _again(self, seconds: float) -> None:
        self._retry.cancel()
        self._retry = self._loop.call_later(seconds, self._begin_if_idle)

    def _begin_if_idle(self) -> None:
        if self._waiting and not self._busy and not self._closed:
            self._begin()

    def _answer(self, jobs: list[Job], outcomes: list[Any]) -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.answer is None:
                if isinstance(outcome, StorageError) and not self._fault:
                    self._log.error(outcome.message)
            elif not job.answer.done():
                if isinstance(outcome, StorageError):
                    job.answer.set_exception(outcome)
                else:
                    job.answer.set_result(outcome)

    # --- the thread's side ----------------------------------------------------------------------

    def _main(self) -> None:
        while (batch := self._batches.get()) is not None:
            outcomes = self._store(batch)
            with suppress(RuntimeError):  # the loop has ended: nobody waits
                self._loop.call_soon_threadsafe(self._finish, batch.jobs, outcomes)

    def _store(self, batch: Batch) -> list[Any] | StorageError:
        try:
            try:
                return self._commit(batch)
            except Exception as error:
                if not is_broken(error):
                    raise
                self._database.replace(error)
                return self._commit(Batch(batch.jobs, None))
        except Exception as error:
            self._database.roll_back()
            if not (is_locked(error) or is_full(error)):
                self._database.doubt()
            fault = explain(error, self._database.path)
            if self._fault is None:
                self._log.error(fault.message, remedy=fault.remedy)
            self._fault = fault
            return fault

    def _commit(self, batch: Batch) -> list[Any]:
        outcomes = batch.outcomes
        if outcomes is None:
            outcomes = self._perform(batch.jobs, patient=True)
        changed = self._database.commit()
        if self._fault and changed:
            self._fault = None
            self._log.warning("the store works again", file=str(self._database.path))
        return outcomes

    # --- either side ----------------------------------------------------------------------------

    def _perform(self, jobs: list[Job], *, patient: bool) -> list[Any]:
        """Begin a transaction and do jobs in it."""
        durable = any(job.durable for job in jobs)
        db = self._database.begin(durable=durable, patient=patient)
        return [_outcome(db, job) for job in jobs]


def _nothing(db: Connection) -> None:
    """Change nothing."""


def _outcome(db: Connection, job: Job) -> Any:
    """Return the result of a job, or the error that concerns it alone."""
    try:
        return job.run(db, *job.args)
    except REFUSALS as error:
        return refused(error)
    except (SqliteError, OSError, MemoryError, Broken):
        raise
    except Exception as error:
        return refused(error)
