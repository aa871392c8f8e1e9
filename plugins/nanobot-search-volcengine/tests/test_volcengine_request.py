"""How wishes are put to Volcengine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_volcengine.engine import Volcengine
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.volcengine"), tmp_path)
    engine = Volcengine(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").body or {})

    plain = ask(Wishes())
    assert "TimeRange" not in plain
    assert plain["Filter"] == {"AuthInfoLevel": 0}
    assert plain["QueryControl"] == {"QueryRewrite": False}
    assert ask(Wishes(time_range="week"))["TimeRange"] == "OneWeek"
    assert ask(Wishes(time_range=DATES))["TimeRange"] == DATES
    wished = ask(Wishes(auth_level=1, query_rewrite=True))
    assert wished["Filter"] == {"AuthInfoLevel": 1}
    assert wished["QueryControl"] == {"QueryRewrite": True}
