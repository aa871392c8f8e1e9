"""How wishes are put to Tavily."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_tavily.engine import Tavily
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.tavily"), tmp_path)
    engine = Tavily(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").body or {})

    assert ask(Wishes()) == {"query": "a b", "max_results": 3}
    assert ask(Wishes(time_range="week"))["time_range"] == "week"
    dated = ask(Wishes(time_range=DATES))
    assert (dated["start_date"], dated["end_date"]) == ("2026-01-01", "2026-01-31")
