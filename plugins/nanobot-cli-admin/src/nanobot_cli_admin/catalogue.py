"""What the vendors that are set up offer right now: asked side by side, remembered for an hour."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanobot.admin import Config, Parts
from nanobot.errors import describe
from nanobot.log import redact
from nanobot.paths import write_private
from nanobot.provider import ModelInfo, ModelLister

from nanobot_cli_admin.loading import Loaded
from nanobot_cli_admin.setups import Setup
from nanobot_cli_admin.survey import assembled

DEADLINE_S = 10.0
KEPT_S = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a vendor said.

    Args:
        asked_at: When it said so, in seconds since the epoch.
        problem: Why it is not known what it offers, empty when it is.
    """

    provider: str
    models: tuple[ModelInfo, ...] = ()
    asked_at: float = 0.0
    problem: str = ""


async def offers(
    config: Config,
    loaded: Loaded,
    environ: Mapping[str, str],
    vendors: Sequence[Setup],
    *,
    refresh: bool = False,
) -> list[Offer]:
    """Return what vendors offer, in their order; one that can not be asked says why.

    Args:
        refresh: Ask, whatever is remembered.
    """
    path = config.instance().plugin_data("cli.models") / "models.json"
    known = {} if refresh else _remembered(path, newer_than=_changed(config.document.path))
    async with assembled(config, loaded, environ) as parts:
        asked = await asyncio.gather(
            *(_ask(parts, vendor) for vendor in vendors if vendor.name not in known)
        )
    answers = known | {offer.provider: offer for offer in asked}
    if asked:
        write_private(path, _encoded(offer for offer in answers.values() if not offer.problem))
    return [answers[vendor.name] for vendor in vendors]


async def _ask(parts: Parts, vendor: Setup) -> Offer:
    problem = vendor.state
    if vendor.ready:
        try:
            async with asyncio.timeout(DEADLINE_S):
                section = parts.sections.named(vendor.plugin.spec, "providers", vendor.alias)
                provider: Any = await parts.registry.open_plugin(
                    vendor.plugin, section, alias=vendor.alias
                )
                if isinstance(provider, ModelLister):
                    found = tuple(await provider.list_models())
                    return Offer(provider=vendor.name, models=found, asked_at=time.time())
            problem = "offers no list of its models"
        except TimeoutError:
            problem = f"did not answer within {DEADLINE_S:g} s"
        except Exception as error:
            problem = redact(describe(error))
    return Offer(provider=vendor.name, problem=problem)


def _changed(path: Path) -> float:
    """Return when the configuration was last changed: the keys in it may be others since."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remembered(path: Path, *, newer_than: float) -> dict[str, Offer]:
    """Return what vendors said lately; what can not be read counts as nothing."""
    now = time.time()
    try:
        offers = [
            Offer(
                provider=str(name),
                models=tuple(ModelInfo(id=str(id), context_window=int(n)) for id, n in models),
                asked_at=float(asked_at),
            )
            for name, (asked_at, models) in json.loads(path.read_bytes()).items()
        ]
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    since = max(newer_than, now - KEPT_S)
    return {offer.provider: offer for offer in offers if since <= offer.asked_at <= now}


def _encoded(offers: Iterable[Offer]) -> bytes:
    kept = {
        offer.provider: (offer.asked_at, [(m.id, m.context_window) for m in offer.models])
        for offer in offers
    }
    return json.dumps(kept).encode()
