"""What is asked, and what the model learns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot.desk import NoDesk, Question


def test_the_answer_is_the_result(ask: Any, desk: Any) -> None:
    desk.will(" blue\n", "")
    assert ask(choices=["red", "blue"]).text == "blue"
    assert ask("And now?").text == "(an answer without words)"
    asked = desk.questions[0]
    assert (asked.text, asked.choices) == ("Which one?", ("red", "blue"))


def test_choices_that_are_explained_are_listed_with_their_numbers(ask: Any, desk: Any) -> None:
    ask(choices=[{"label": "red", "description": "like\nfire"}, "blue", {"label": "green"}])
    asked = desk.questions[0]
    assert asked.text == "Which one?\n\n1. red: like fire\n2. blue\n3. green"
    assert asked.choices == ("red", "blue", "green")


def test_the_same_call_asks_once_and_others_ask_again(ask: Any, desk: Any) -> None:
    desk.will("one", "two", "three")
    said = [
        ask(q, id=id).text for q, id in (("A?", "c1"), ("A?", "c1"), ("B?", "c1"), ("A?", "c2"))
    ]
    assert said == ["one", "one", "two", "three"]


def test_where_nobody_can_be_asked_the_model_is_told_what_to_do(ask: Any) -> None:
    result = ask(on=NoDesk())
    assert result.kind == "unavailable"
    assert "put the question into your answer" in result.text


def test_a_question_that_nobody_answers_is_withdrawn(ask: Any) -> None:
    class Silent(NoDesk):
        withdrawn = False

        async def ask(self, question: Question) -> str:
            try:
                return await asyncio.Event().wait() and ""
            finally:
                self.withdrawn = True

    silent = Silent()
    result = ask(on=silent, waitMinutes=0.0001)
    assert (result.kind, silent.withdrawn) == ("timeout", True)


@pytest.mark.parametrize(
    "given",
    [
        {"question": " "},
        {"question": "x" * 4001},
        {"choices": "red"},
        {"choices": [""]},
        {"choices": [7]},
        {"choices": ["red", "RED"]},
        {"choices": ["x" * 65]},
        {"choices": [str(n) for n in range(13)]},
        {"choices": [{"description": "of nothing"}]},
        {"choices": [{"label": "a", "description": "x" * 401}]},
    ],
)
def test_nonsense_asks_nothing(ask: Any, desk: Any, given: dict[str, Any]) -> None:
    assert ask(**given).kind == "bad_argument"
    assert not desk.questions
