"""A third party's plugin, from its wheel to its removal, without the repository at hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent.parent / "docs" / "examples" / "nanobot-tool-dice"
ROLL = {"tool": "roll_dice", "arguments": {"count": 2}}


@pytest.fixture
def dice(environment: Any, build: Any) -> Path:
    """Return the plugin's folder as its author has it, with its wheel installed."""
    wheel = build(FOLDER)
    environment.install(wheel)
    own = environment.home / FOLDER.name
    shutil.copytree(FOLDER / "tests", own / "tests")
    return own


def test_its_own_tests_pass(environment: Any, dice: Path) -> None:
    assert "passed" in environment.test(dice)


def test_it_is_listed_called_and_removed(environment: Any, dice: Path) -> None:
    listed = environment.plugins()["tools.dice"]
    assert listed["distribution"] == "nanobot-tool-dice" and listed["version"] == "0.1.0"
    assert listed["state"] == "enabled"

    answer = environment.turn(
        ROLL, {"text": "Done."}, config={"tools": {"dice": {"defaultSides": 2}}}
    )
    assert answer["content"] == "Done." and answer["tools_used"] == ["roll_dice"]
    assert answer["results"][0].startswith("2d2: ")

    before = set(environment.plugins())
    environment.uninstall("nanobot-tool-dice")
    assert before - set(environment.plugins()) == {"tools.dice"}
    answer = environment.turn({"text": "Still here."})
    assert answer["content"] == "Still here." and "roll_dice" not in answer["tools"]


def test_a_wrong_section_parks_it_and_nothing_else(environment: Any, dice: Path) -> None:
    answer = environment.turn({"text": "Fine."}, config={"tools": {"dice": {"defaultSides": 1}}})
    assert answer["content"] == "Fine." and "roll_dice" not in answer["tools"]
    config = str(environment.home / "turn.json")
    done = environment.run("nanobot", "plugins", "check", "dice", "-c", config)
    assert done.returncode == 1 and "tools.dice.defaultSides" in done.stdout
