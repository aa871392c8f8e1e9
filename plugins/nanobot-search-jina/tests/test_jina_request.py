"""How wishes are put to Jina."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot_search_jina.engine import Jina
from nanobot_testing import load_spec, make_context
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Wishes


def test_wishes(tmp_path: Path) -> None:
    context = make_context(load_spec("search.jina"), tmp_path)
    engine = Jina(EngineConfig(), context)

    def ask(wishes: Wishes) -> dict[str, Any]:
        return dict(engine.ask("a b", 3, wishes, "key").params or {})

    assert ask(Wishes()) == {"q": "a b", "num": "3"}
    assert ask(Wishes(language="de"))["hl"] == "de"
