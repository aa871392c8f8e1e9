"""Older spellings are understood, reported, and written in the newer one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot._config import Config
from nanobot._config.document import save_document
from nanobot._config.migrate import MOVES

Load = Callable[..., Config]


def nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)


def value_at(data: Any, path: str) -> Any:
    for part in path.split("."):
        data = data[part]
    return data


@pytest.mark.parametrize(("old", "new"), MOVES.items())
def test_each_moves_on_load_and_is_written_on_save(
    loaded: Load, path: Path, old: str, new: str
) -> None:
    value: Any = 5 if "Minutes" in old else {"enable": True} if old == "tools.file" else True
    text = json.dumps(nested(old, value))
    config = loaded(text)
    (finding,) = config.findings
    assert (finding.path, finding.severity, finding.message) == (old, "info", f"is now {new}")
    assert value_at(config.effective, new) == value
    assert path.read_text() == text
    save_document(config.document, config.document.data)
    saved = json.loads(path.read_text())
    assert value_at(saved, new) == value
    with pytest.raises(KeyError):
        value_at(saved, old)
    assert loaded(saved).findings == ()


def test_snake_case_moves_too(loaded: Load) -> None:
    config = loaded(
        {
            "tools": {"exec": {"restrict_to_workspace": True}, "my_enabled": False},
            "channels": {"show_tool_progress": True},
        }
    )
    assert config.core.tools.restrict_to_workspace
    assert config.raw_section("channels") == {"sendToolHints": True}
    assert config.raw_section("tools.my") == {"enabled": False}


def test_the_newer_spelling_wins_and_the_older_stays(loaded: Load, path: Path) -> None:
    document = {"channels": {"showToolProgress": True, "send_tool_hints": False}}
    config = loaded(document)
    (finding,) = config.findings
    assert finding.severity == "warning"
    assert finding.path == "channels.showToolProgress"
    save_document(config.document, config.document.data)
    assert json.loads(path.read_text())["channels"] == {
        "showToolProgress": True,
        "send_tool_hints": False,
    }


def test_what_can_not_move_stays(loaded: Load) -> None:
    config = loaded({"tools": {"myEnabled": True, "my": 5}})
    assert config.effective == {"tools": {"myEnabled": True, "my": 5}}
    assert [finding.path for finding in config.findings] == ["tools.my"]
