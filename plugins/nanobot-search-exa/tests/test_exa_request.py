"""How wishes are put to Exa."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nanobot_search_exa.engine import Exa
from nanobot_testing import load_spec, make_context
from nanobot_testing.lab import FakeClock
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.exa"), tmp_path)
    context = replace(context, clock=FakeClock())  # 2026-01-02
    engine = Exa(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").body or {})

    assert "startPublishedDate" not in ask(Wishes())
    dated = ask(Wishes(time_range=DATES))
    assert dated["startPublishedDate"] == "2026-01-01T00:00:00.000Z"
    assert dated["endPublishedDate"] == "2026-01-31T23:59:59.999Z"
    assert ask(Wishes(time_range="week"))["startPublishedDate"] == "2025-12-26T00:00:00.000Z"
