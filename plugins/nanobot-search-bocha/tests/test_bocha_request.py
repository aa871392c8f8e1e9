"""How wishes are put to Bocha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_bocha.engine import Bocha
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.bocha"), tmp_path)
    engine = Bocha(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").body or {})

    assert ask(Wishes())["freshness"] == "noLimit"
    assert ask(Wishes(time_range="week"))["freshness"] == "oneWeek"
    assert ask(Wishes(time_range=DATES))["freshness"] == DATES
