"""Configurations that users get wrong, and what they must be told."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from nanobot.admin import load
from nanobot.errors import ConfigError
from nanobot.specs import Spec
from nanobot_cli_admin.claims import check

CORPUS = Path(__file__).parent / "corpora" / "config_errors.json"
ITEMS = json.loads(CORPUS.read_text())["items"]


def write(path: Path, item: dict[str, Any]) -> None:
    if item.get("directory"):
        path.mkdir()
        return
    path.write_text(item["input"], encoding="utf-8")
    path.chmod(int(item.get("mode", "0600"), 8))


def said(path: Path, specs: dict[str, list[Spec]]) -> tuple[bool, list[str]]:
    """Return whether it was refused, and the lines that a user sees."""
    try:
        config = load(path, environ={})
    except ConfigError as error:
        return True, str(error).splitlines()
    findings = (*config.findings, *check(config, specs))
    return False, [f"{path}: {finding}" for finding in findings]


def names(item: dict[str, Any], line: str) -> bool:
    """Say if the line names the section and the key of a document with one wrong setting."""
    value, keys = json.loads(item["input"]), []
    while isinstance(value, dict) and value:
        key, value = list(value.items())[-1]
        keys.append(key)
    return ".".join(keys[:2]) in line and (keys[-1] in line or line.endswith("is required"))


@pytest.mark.parametrize("plugins", [True, False], ids=["plugins", "core"])
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["id"])
def test_item(
    item: dict[str, Any], plugins: bool, path: Path, specs: dict[str, list[Spec]]
) -> None:
    write(path, item)
    before = None if item.get("directory") else path.read_bytes()
    refused, lines = said(path, specs if plugins else {})
    expected = item["expected"]
    if expected == "accept":
        assert not refused
        assert lines == []
    elif expected == "refuse_with_line_and_path":
        assert refused
        assert str(path) in lines[0]
        assert "line " in lines[0]
    elif expected == "refuse_with_path":
        assert refused
        assert str(path) in lines[0]
    elif expected == "warn_or_fix_to_0600":
        assert not refused
        assert any("mode" in line and item["mode"] in line for line in lines)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    else:
        assert expected == "refuse_or_warn_naming_key"
        assert any(str(path) in line and names(item, line) for line in lines), lines
    assert "CANARY" not in "".join(lines)
    if before is not None:
        assert path.read_bytes() == before


def test_the_whole_corpus_is_here() -> None:
    assert len(ITEMS) == 35
