"""What the tests of the dialect share: a vendor that is connected to a scripted server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nanobot.provider import ModelEvent, ModelReasoning, ModelText
from nanobot.specs import ProviderSpec
from nanobot_provider_compat.answer import Answer
from nanobot_provider_compat.failure import Failures
from nanobot_provider_compat.vendor import Vendor
from nanobot_testing import open_spec
from nanobot_testing.contracts.provider import KEY
from nanobot_testing.servers.chat import ChatServer

Connect = Callable[..., AbstractAsyncContextManager[tuple[Any, ChatServer]]]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """Return a function that opens a vendor, by its options and configuration, with a server."""

    @asynccontextmanager
    async def connecting(
        config: Mapping[str, object] | None = None, **options: object
    ) -> AsyncIterator[tuple[Any, ChatServer]]:
        async with ChatServer() as server:
            spec = ProviderSpec(
                name="acme",
                factory="nanobot_provider_compat.provider:open_provider",
                options={"base_url": server.base_url, "env_keys": ("ACME_API_KEY",), **options},
            )
            section = {"apiKey": KEY, **(config or {})}
            async with open_spec(spec, section, tmp_path, plugin="providers.acme") as provider:
                yield provider, server

    return connecting


@pytest.fixture
def fail() -> Failures:
    """Return the maker of errors of a vendor with two key variables."""
    return Failures(
        provider="acme",
        section="providers.acme",
        vendor=Vendor(env_keys=("ACME_API_KEY", "ACME_TOKEN")),
        address="https://api.acme.test/v1",
        model="acme-1",
    )


@pytest.fixture
def read(fail: Failures) -> Callable[..., list[ModelEvent]]:
    """Return a function that reads blocks of bytes as one answer, from first to last event."""

    def reading(*blocks: bytes, names: tuple[str, ...] = (), **options: Any) -> list[ModelEvent]:
        answer = Answer(
            fail,
            names,
            now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            prompt_tokens=lambda: 40,
            **options,
        )
        events: list[ModelEvent] = []
        for block in blocks:
            events += answer.feed(block)
        return merged(events + answer.finish())

    return reading


def merged(events: list[ModelEvent]) -> list[ModelEvent]:
    """Join neighbours of one kind: how text is cut into events is the network's choice."""
    out: list[ModelEvent] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, ModelText) and isinstance(last, ModelText):
            out[-1] = ModelText(text=last.text + event.text)
        elif isinstance(event, ModelReasoning) and isinstance(last, ModelReasoning):
            out[-1] = ModelReasoning(text=last.text + event.text)
        else:
            out.append(event)
    return out
