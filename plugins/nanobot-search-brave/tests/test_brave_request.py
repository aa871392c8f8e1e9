"""How wishes are put to Brave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_brave.engine import Brave
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.brave"), tmp_path)
    engine = Brave(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").params or {})

    assert ask(Wishes()) == {"q": "a b", "count": "3"}
    assert ask(Wishes(time_range="week"))["freshness"] == "pw"
    assert ask(Wishes(time_range=DATES))["freshness"] == "2026-01-01to2026-01-31"
    assert ask(Wishes(language="de"))["search_lang"] == "de"
