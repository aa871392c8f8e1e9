"""What the dice do beyond the contract."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec, run
from nanobot_tool_dice.tool import Dice


def roll(folder: Path, arguments: dict[str, object], **config: object) -> ToolResult:
    """Open the plugin as nanobot does, and roll once."""

    async def go() -> ToolResult:
        async with open_spec(load_spec("tools.dice"), config, folder) as tool:
            request = ToolRequest(name="roll_dice", arguments=arguments)
            result: ToolResult = await tool.call(request, make_turn(folder))
            return result

    return run(go())


@pytest.mark.parametrize(
    ("arguments", "config", "shown"),
    [
        ({}, {}, "1d6"),
        ({}, {"defaultSides": 20}, "1d20"),
        ({"sides": 4}, {"defaultSides": 20}, "1d4"),
        ({"count": 100, "sides": 1000}, {}, "100d1000"),
    ],
)
def test_sides_come_from_the_call_then_from_the_configuration(
    tmp_path: Path, arguments: dict[str, object], config: dict[str, object], shown: str
) -> None:
    assert roll(tmp_path, arguments, **config).text.startswith(f"{shown}: ")


def test_every_number_is_on_the_die_and_the_sum_is_right(tmp_path: Path) -> None:
    text = roll(tmp_path, {"count": 100, "sides": 3}).text
    found = re.fullmatch(r"100d3: ([\d, ]+) \(sum (\d+)\)", text)
    assert found
    rolled = [int(number) for number in found[1].split(", ")]
    assert set(rolled) <= {1, 2, 3} and len(rolled) == 100
    assert sum(rolled) == int(found[2])


def test_the_numbers_are_those_of_the_random_source(tmp_path: Path) -> None:
    dice = Dice(6, random.Random(1))
    expected = random.Random(1).randint(1, 6)
    request = ToolRequest(name="roll_dice", arguments={})
    assert run(dice.call(request, make_turn(tmp_path))).text == f"1d6: {expected} (sum {expected})"


@pytest.mark.parametrize(
    "arguments", [{"count": 0}, {"count": 101}, {"sides": 1}, {"sides": "six"}]
)
def test_impossible_dice_are_refused(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(ToolError) as caught:
        roll(tmp_path, arguments)
    assert caught.value.kind == "bad_arguments"


def test_an_impossible_default_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="defaultSides"):
        roll(tmp_path, {}, defaultSides=1)
