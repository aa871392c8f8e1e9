"""Whatever is done in whatever order, with reopenings between, the store does what a dict does."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from nanobot_gateway.store import Delivery, InboxRow, OutboxRow, UsageRow
from nanobot_testing.host import load_spec, open_spec

TEXT = st.text(st.characters() | st.sampled_from("\0\ud800\udfff"), max_size=3)
FEW = st.integers(0, 12)
WAITING = (Delivery.QUEUED, Delivery.SENDING)


class Model(RuleBasedStateMachine):
    """A store beside plain collections."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.count = 0
        self.known: set[str] = set()
        self.inbox: dict[str, InboxRow] = {}
        self.outbox: dict[str, OutboxRow] = {}
        self.claims: set[tuple[str, str]] = set()
        self.items: dict[str, dict[str, bytes]] = {}
        self.used: dict[str, UsageRow] = {}

    def do(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    @initialize()
    def open(self) -> None:
        spec = load_spec("stores.sqlite")
        opening = open_spec(spec, {"durability": "relaxed"}, self.folder, plugin="stores.sqlite")
        self.store = self.do(self.stack.enter_async_context(opening))

    @rule()
    def reopen(self) -> None:
        self.do(self.stack.aclose())
        self.open()

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    @rule(keys=st.lists(TEXT, min_size=1, max_size=4), session=TEXT, payload=st.binary())
    def accept(self, keys: list[str], session: str, payload: bytes) -> None:
        rows = []
        for key in keys:
            self.count += 1
            id = f"in-{self.count}"
            rows.append(InboxRow(id=id, key=key, session_key=session, payload=payload))

        async def all_at_once() -> list[bool]:
            return list(await asyncio.gather(*(self.store.accept(row) for row in rows)))

        for row, new in zip(rows, self.do(all_at_once()), strict=True):
            assert new == (row.key not in self.known)
            self.known.add(row.key)
            if new:
                self.inbox[row.id] = row

    @rule(ids=st.lists(FEW), replies=st.lists(FEW), lane=TEXT, state=st.sampled_from(Delivery))
    def finish(self, ids: list[int], replies: list[int], lane: str, state: Delivery) -> None:
        done = [f"in-{n}" for n in ids]
        rows = [OutboxRow(id=f"out-{n}", lane=lane, payload=b"!", state=state) for n in replies]
        used = [
            UsageRow(turn=f"t{n}", at=float(n), labels={"lane": lane}, numbers={"n": 0.5})
            for n in replies
        ]
        self.do(self.store.finish(done, rows, used))
        for id in done:
            self.inbox.pop(id, None)
        for row in rows:
            self.outbox.setdefault(row.id, row)
        for usage in used:
            self.used.setdefault(usage.turn, usage)

    @rule(n=FEW, state=st.sampled_from(Delivery), platform=TEXT, error=TEXT)
    def mark(self, n: int, state: Delivery, platform: str, error: str) -> None:
        id = f"out-{n}"
        self.do(self.store.mark(id, state, platform_id=platform, error=error))
        if old := self.outbox.get(id):
            self.outbox[id] = OutboxRow(
                id=id,
                lane=old.lane,
                payload=old.payload,
                state=state,
                platform_id=old.platform_id or platform,
                attempts=old.attempts + (state is Delivery.SENDING),
                error=error,
            )

    @rule(job=TEXT, occurrence=TEXT)
    def claim(self, job: str, occurrence: str) -> None:
        new = self.do(self.store.claim(job, occurrence))
        assert new == ((job, occurrence) not in self.claims)
        self.claims.add((job, occurrence))

    @rule(area=TEXT, key=TEXT, value=st.none() | st.binary(max_size=5))
    def put(self, area: str, key: str, value: bytes | None) -> None:
        self.do(self.store.put(area, key, value))
        if value is None:
            self.items.get(area, {}).pop(key, None)
        else:
            self.items.setdefault(area, {})[key] = value
        assert list(self.do(self.store.items(area)).items()) == list(
            self.items.get(area, {}).items()
        )

    @rule(since=FEW, until=FEW)
    def ask_usage(self, since: int, until: int) -> None:
        found = self.do(self.store.usage(since, until))
        assert list(found) == [row for row in self.used.values() if since <= row.at < until]

    @rule(n=FEW)
    def ask_delivery(self, n: int) -> None:
        assert self.do(self.store.delivery(f"out-{n}")) == self.outbox.get(f"out-{n}")

    @invariant()
    def same(self) -> None:
        assert list(self.do(self.store.unfinished())) == list(self.inbox.values())
        waiting = [row for row in self.outbox.values() if row.state in WAITING]
        assert list(self.do(self.store.undelivered())) == waiting


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
