"""What is handed on, and what the model learns."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.desk import NoDesk
from nanobot.messages import Trust


def test_work_goes_on_in_the_background(spawn: Any, desk: Any) -> None:
    (result,) = spawn({"task": "Count.", "label": "the  count"})
    assert result.text.startswith("The subagent “the count” is at work.")
    ((task, wait),) = desk.tasks
    assert (task.text, task.label, task.profile.name, wait) == (
        "Count.",
        "the count",
        "subagent",
        False,
    )


def test_a_result_that_is_waited_for_is_untrusted(spawn: Any, desk: Any) -> None:
    desk.will("seven", "")
    counted, silent = spawn({"task": "Count.", "wait": True}, {"task": "Hush.", "wait": True})
    assert (counted.text, counted.parts[0].trust) == ("seven", Trust.UNTRUSTED)
    assert silent.text == "The subagent ended without saying anything."
    assert [wait for _, wait in desk.tasks] == [True, True]


def test_a_host_in_which_nothing_outlives_the_turn_gives_the_result_at_once(
    spawn: Any, desk: Any
) -> None:
    desk.will("seven")
    assert spawn({"task": "Count."})[0].text == "seven"


def test_a_profile_is_chosen_by_name(spawn: Any, desk: Any) -> None:
    spawn({"task": "Look it up.", "profile": "researcher"})
    assert desk.tasks[0][0].profile.name == "researcher"


def test_an_unknown_profile_is_answered_with_those_there_are(spawn: Any, desk: Any) -> None:
    (result,) = spawn({"task": "Look it up.", "profile": "reseacher"})
    assert result.kind == "not_found"
    assert "Did you mean researcher? Profiles: clerk, researcher;" in result.text
    assert not desk.tasks


def test_the_same_call_is_one_task_and_others_are_not(spawn: Any, desk: Any) -> None:
    spawn(*({"task": t} for t in "aaba"), ids=["c1", "c1", "c1", "c2"])
    assert [task.text for task, _ in desk.tasks] == ["a", "b", "a"]
    assert len({task.id for task, _ in desk.tasks}) == 3


def test_a_turn_hands_on_only_so_much(spawn: Any, desk: Any) -> None:
    results = spawn(*({"task": t} for t in "aabc"), ids=["1", "1", "2", "3"], maxPerTurn=2)
    assert [result.kind for result in results] == ["", "", "", "too_many"]
    assert "maxPerTurn" in results[-1].text
    assert len(desk.tasks) == 2


def test_where_work_can_not_be_handed_on_the_model_is_told(spawn: Any) -> None:
    assert spawn({"task": "Count."}, on=NoDesk())[0].kind == "unavailable"


@pytest.mark.parametrize("given", [{}, {"task": " "}, {"task": "x" * 50_001}])
def test_nonsense_hands_nothing_on(spawn: Any, desk: Any, given: dict[str, Any]) -> None:
    assert spawn(given)[0].kind == "bad_argument"
    assert not desk.tasks
