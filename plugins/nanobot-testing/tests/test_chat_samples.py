"""What compares a vendor's samples must see every difference."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.messages import AssistantMessage, Image, UserMessage
from nanobot.specs import ProviderSpec
from nanobot_testing.contracts.chat_vendor import points_to
from nanobot_testing.servers.chat_faults import ARGUMENTS, FAULTS, script
from nanobot_testing.servers.chat_samples import changes, history, missing


@pytest.mark.parametrize(
    ("expected", "found", "gap"),
    [
        ({}, {"a": 1}, ""),
        ({"a": 1}, {"a": 1, "b": 2}, ""),
        ({"a": 1}, {"b": 2}, ".a is not there"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ".a.b is 2, not 1"),
        ({"a": {"b": 1}}, {"a": 1}, ".a is 1, not {'b': 1}"),
        ([1, 2], [1, 2], ""),
        ([1, 2], [1, 3], "[1] is 3, not 2"),
        ([1], [1, 2], " is [1, 2], not [1]"),
        ([{"a": 1}], [{"a": 1, "b": 2}], ""),
        (True, True, ""),
        (True, 1, " is 1, not True"),
        (0, False, " is False, not 0"),
        (None, "", " is '', not None"),
    ],
)
def test_a_gap_is_found_and_named(expected: Any, found: Any, gap: str) -> None:
    assert missing(expected, found) == gap


def test_a_sample_becomes_a_request() -> None:
    entries = [
        {"user": "see", "picture": True},
        {"assistant": "", "reasoning": "hm", "calls": [["c", "f", "{}", "r"]]},
    ]
    asked, said = history(entries)
    assert isinstance(asked, UserMessage) and isinstance(asked.parts[1], Image)
    assert isinstance(said, AssistantMessage) and said.reasoning[0].text == "hm"
    assert said.tool_uses[0].call.id == "c" and said.tool_uses[0].result.text == "r"
    made = changes({"name": "x", "model": "m", "effort": "high", "history": entries})
    assert made == {"model": "m", "reasoning_effort": "high", "messages": (asked, said)}


@pytest.mark.parametrize(
    ("keywords", "model", "points"),
    [
        (("ark",), "ark-code", True),
        (("ark",), "spark-max", False),
        (("step-3",), "step-3.5-flash", True),
        (("step-3",), "my-step-by-step-model", False),
        (("lm_studio",), "lm-studio/x", True),
        ((), "x", False),
    ],
)
def test_keywords_are_whole_tokens(keywords: tuple[str, ...], model: str, points: bool) -> None:
    assert points_to(ProviderSpec(name="x", factory="x:y", keywords=keywords), model) is points


def test_the_corpora_are_there_and_an_unknown_fault_is_no_silent_success() -> None:
    assert len(FAULTS) > 10 and len(ARGUMENTS) > 5
    with pytest.raises(AssertionError, match="no script plays"):
        script(None, {"new": "fault"})  # type: ignore[arg-type]
