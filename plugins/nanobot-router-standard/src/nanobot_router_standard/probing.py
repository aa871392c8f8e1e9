"""Local model servers: whether one listens, and what it offers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nanobot import log
from nanobot.provider import ModelLister
from nanobot.routing import Candidate

PROBE_CONNECT_S = 0.3
PROBE_LIST_S = 2.0


async def listening(candidates: Mapping[str, Candidate]) -> list[str]:
    """Return the names of the local servers that listen at their default address."""
    local = {name: c.spec.probe_url for name, c in candidates.items() if c.spec.probe_url}
    found = await asyncio.gather(*(_listens(url) for url in local.values()))
    return [name for name, listens in zip(local, found, strict=True) if listens]


async def first_model(provider: Any) -> str:
    """Return the first model that a provider offers, empty when it can not say."""
    if not isinstance(provider, ModelLister):
        return ""
    try:
        async with asyncio.timeout(PROBE_LIST_S):
            found = await provider.list_models()
        return str(found[0].id) if found else ""
    except Exception as error:
        log.get().info("models_not_listed", reason=f"{type(error).__name__}: {error}")
        return ""


async def _listens(url: str) -> bool:
    try:
        place = urlsplit(url)
        async with asyncio.timeout(PROBE_CONNECT_S):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
    except (OSError, ValueError, TimeoutError):
        return False
    writer.close()
    return True
