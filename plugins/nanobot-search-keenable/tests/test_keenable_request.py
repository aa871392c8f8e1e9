"""How wishes are put to Keenable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nanobot_search_keenable.engine import Keenable
from nanobot_testing import load_spec, make_context
from nanobot_testing.lab import FakeClock
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.keenable"), tmp_path)
    context = replace(context, clock=FakeClock())  # 2026-01-02
    engine = Keenable(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").body or {})

    assert ask(Wishes()) == {"query": "a b", "max_results": 3}
    dated = ask(Wishes(time_range=DATES))
    assert dated["published_after"] == "2026-01-01"
    assert dated["published_before"] == "2026-01-31"
    assert ask(Wishes(time_range="day"))["published_after"] == "2026-01-01"
