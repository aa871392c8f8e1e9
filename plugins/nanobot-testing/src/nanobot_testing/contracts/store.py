"""The contract of stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nanobot.specs import Spec
from nanobot_gateway.store import Delivery, InboxRow, OutboxRow, Store, UsageRow

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import open_spec, run

Work = Callable[[Store], Awaitable[Any]]


def inbox(n: int, *, session: str = "s", key: str = "") -> InboxRow:
    """Return a message to accept."""
    return InboxRow(
        id=f"in-{n}", key=key or f"key-{n}", session_key=session, payload=b"\x00{%d}" % n
    )


def outbox(n: int, *, lane: str = "test/default") -> OutboxRow:
    """Return a message to deliver."""
    return OutboxRow(id=f"out-{n}", lane=lane, payload=b"[%d]" % n)


class StoreContract(PluginContract):
    """Promises of a store.

    Override `opened` when several openings need more than the same folder to see the same data.

    Attributes:
        exclusive: A second opening while the first is open is refused.
    """

    exclusive: ClassVar[bool] = True

    @asynccontextmanager
    async def opened(self, spec: Spec, folder: Path) -> AsyncIterator[Store]:
        """Open the store; a later opening with the same folder must find what was kept."""
        async with open_spec(spec, self.config, folder, plugin=self.plugin) as store:
            yield store

    @pytest.fixture
    def with_store(self, spec: Spec, tmp_path: Path) -> Callable[[Work], Any]:
        """Return a function that runs some work on a newly opened store."""

        def go(work: Work) -> Any:
            async def inside() -> Any:
                async with self.opened(spec, tmp_path) as store:
                    return await work(store)

            return run(inside())

        return go

    # --- inbox ----------------------------------------------------------------------------------

    def test_a_message_is_kept_until_it_is_finished(self, with_store: Any) -> None:
        async def first(store: Store) -> None:
            assert [await store.accept(inbox(n)) for n in (1, 2, 3)] == [True, True, True]
            await store.finish(["in-2"])

        async def second(store: Store) -> Any:
            return await store.unfinished()

        with_store(first)
        assert list(with_store(second)) == [inbox(1), inbox(3)]

    def test_a_key_is_accepted_once_even_after_it_was_finished(self, with_store: Any) -> None:
        async def first(store: Store) -> None:
            assert await store.accept(inbox(1))
            assert not await store.accept(inbox(2, key="key-1"))
            await store.finish(["in-1"])

        async def second(store: Store) -> None:
            assert not await store.accept(inbox(3, key="key-1"))
            assert list(await store.unfinished()) == []

        with_store(first)
        with_store(second)

    def test_rows_keep_their_order_under_concurrency(self, with_store: Any) -> None:
        async def work(store: Store) -> Any:
            done = await asyncio.gather(*(store.accept(inbox(n)) for n in range(200)))
            assert all(done)
            return [row.id for row in await store.unfinished()]

        assert with_store(work) == [f"in-{n}" for n in range(200)]

    def test_one_of_many_at_once_with_the_same_key_wins(self, with_store: Any) -> None:
        async def work(store: Store) -> Any:
            rows = [inbox(n, key="same") for n in range(50)]
            return await asyncio.gather(*(store.accept(row) for row in rows))

        assert sum(with_store(work)) == 1

    # --- outbox ---------------------------------------------------------------------------------

    def test_finishing_keeps_what_is_to_be_delivered(self, with_store: Any) -> None:
        async def first(store: Store) -> None:
            await store.accept(inbox(1))
            await store.finish(["in-1"], [outbox(1), outbox(2)])
            await store.finish(["in-1", "in-unknown"], [outbox(2), outbox(3)])

        async def second(store: Store) -> Any:
            assert not await store.unfinished()
            return await store.undelivered()

        with_store(first)
        assert list(with_store(second)) == [outbox(1), outbox(2), outbox(3)]

    def test_a_delivery_moves_on(self, with_store: Any) -> None:
        async def first(store: Store) -> None:
            await store.finish([], [outbox(n) for n in range(5)])
            await store.mark("out-0", Delivery.SENDING)
            await store.mark("out-0", Delivery.SENDING)
            await store.mark("out-0", Delivery.SENT, platform_id="p-0")
            await store.mark("out-1", Delivery.SENDING, platform_id="p-1")
            await store.mark("out-1", Delivery.QUEUED, error="busy")
            await store.mark("out-2", Delivery.DEAD, error="gone")
            await store.mark("out-3", Delivery.UNKNOWN)
            assert await store.delivery("out-none") is None

        async def second(store: Store) -> Any:
            waiting = await store.undelivered()
            return waiting, [await store.delivery(f"out-{n}") for n in range(4)]

        with_store(first)
        waiting, rows = with_store(second)
        assert [row.id for row in waiting] == ["out-1", "out-4"]
        assert (rows[0].state, rows[0].platform_id, rows[0].attempts) == ("sent", "p-0", 2)
        assert (rows[1].state, rows[1].platform_id, rows[1].error) == ("queued", "p-1", "busy")
        assert (rows[2].state, rows[2].error, rows[3].state) == ("dead", "gone", "unknown")
        assert rows[0].payload == b"[0]"

    # --- the rest -------------------------------------------------------------------------------

    def test_an_occurrence_is_taken_once(self, with_store: Any) -> None:
        async def first(store: Store) -> None:
            assert await store.claim("job", "2026-01-01T00:00")
            assert await store.claim("job", "2026-01-01T00:01")
            assert await store.claim("other", "2026-01-01T00:00")

        async def second(store: Store) -> None:
            assert not await store.claim("job", "2026-01-01T00:00")

        with_store(first)
        with_store(second)

    def test_small_values(self, with_store: Any) -> None:
        async def first(store: Store) -> None:
            await store.put("approvals", "b", b"1")
            await store.put("approvals", "a", b"2")
            await store.put("approvals", "b", b"3")
            await store.put("approvals", "c", b"4")
            await store.put("approvals", "c", None)
            await store.put("approvals", "c", None)
            await store.put("elsewhere", "a", b"\xff\x00")

        async def second(store: Store) -> Any:
            return dict(await store.items("approvals")), dict(await store.items("elsewhere"))

        with_store(first)
        mine, others = with_store(second)
        assert list(mine.items()) == [("b", b"3"), ("a", b"2")] and others == {"a": b"\xff\x00"}

    def test_usage_is_counted_once_a_turn(self, with_store: Any) -> None:
        row = UsageRow(turn="t1", at=100.5, labels={"session": "s"}, numbers={"input": 3.0})
        later = UsageRow(turn="t2", at=200.0, labels={"session": "ü"}, numbers={"cost": 0.25})

        async def first(store: Store) -> None:
            await store.finish([], [], [row])
            await store.finish([], [], [row, later])

        async def second(store: Store) -> Any:
            return await store.usage(0, 150), await store.usage(100.5, 1e9)

        with_store(first)
        early, both = with_store(second)
        assert list(early) == [row] and list(both) == [row, later]

    def test_says_that_it_is_well(self, with_store: Any) -> None:
        async def work(store: Store) -> str:
            return await store.healthy()

        assert with_store(work) == ""
