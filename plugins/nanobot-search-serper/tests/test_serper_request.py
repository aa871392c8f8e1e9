"""How wishes are put to Serper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_serper.engine import Serper
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes

DATES = "2026-01-01..2026-01-31"


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.serper"), tmp_path)
    engine = Serper(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").body or {})

    assert ask(Wishes()) == {"q": "a b", "num": 3}
    assert ask(Wishes(time_range="week"))["tbs"] == "qdr:w"
    assert ask(Wishes(time_range=DATES))["tbs"] == "cdr:1,cd_min:1/1/2026,cd_max:1/31/2026"
    assert ask(Wishes(language="de"))["hl"] == "de"
