"""How wishes are put to Olostep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_olostep.engine import Olostep
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.olostep"), tmp_path)
    engine = Olostep(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").body or {})

    assert ask(Wishes(time_range="week", language="de")) == {"query": "a b", "limit": 3}
