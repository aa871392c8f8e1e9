"""How wishes are put to Searxng."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_searxng.engine import Searxng
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.searxng"), tmp_path)
    engine = Searxng(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").params or {})

    assert ask(Wishes()) == {"q": "a b", "format": "json"}
    assert ask(Wishes(time_range="week"))["time_range"] == "week"
    assert "time_range" not in ask(Wishes(time_range=DATES))
    assert ask(Wishes(language="de"))["language"] == "de"
