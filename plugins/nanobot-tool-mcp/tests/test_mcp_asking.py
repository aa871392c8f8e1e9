"""Questions that servers put to the user."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from nanobot.desk import NoDesk, Question
from nanobot_testing import load_spec, make_context, run
from nanobot_tool_mcp.config import McpConfig
from nanobot_tool_mcp.tool import open_tool

FORM = {"name": {"type": "string", "title": "Your name"}}


class Person(NoDesk):
    """A host whose user answers from a list; without answers nobody can be asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> str:
        self.questions.append(question)
        if not self.answers:
            return await super().ask(question)
        return self.answers.pop(0)


@asynccontextmanager
async def opened(bench: Any, desk: Any, **section: Any) -> Any:
    bench.lists("asks", "hangs")
    context = make_context(load_spec("tools.mcp"), bench.folder, plugin="tools.mcp")
    config = McpConfig.model_validate({"fake": bench.fake(**section)})
    async with open_tool(config, replace(context, desk=desk)) as tool:
        yield tool


def form(properties: Any, *required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"message": "Tell me", "requestedSchema": schema}


def converse(bench: Any, desk: Person, params: dict[str, Any]) -> Any:
    """Let the server ask; return what it got."""

    async def check() -> Any:
        async with opened(bench, desk) as tool:
            result = await bench.call(tool, "mcp_fake_asks", params=params)
            return json.loads(result.text)["result"]

    return run(check())


def test_a_question_reaches_the_user_and_the_answer_the_server(bench: Any) -> None:
    person = Person("Ada")
    assert converse(bench, person, form(FORM, "name")) == {
        "action": "accept",
        "content": {"name": "Ada"},
    }
    (question,) = person.questions
    assert question.text == "The MCP server 'fake' asks: Tell me\nYour name"
    assert question.choices == ("Decline",)
    assert question.id == "turn-alice:c1:1"
    assert "elicitation" in bench.heard("initialize")[0]["params"]["capabilities"]


@pytest.mark.parametrize(
    ("field", "answers", "value"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, ["x", "12", "7"], 7),
        ({"type": "number"}, ["2.5"], 2.5),
        ({"type": "boolean"}, ["perhaps", "Yes"], True),
        ({"type": "boolean"}, ["no"], False),
        ({"type": "string", "minLength": 3}, ["ab", "abc"], "abc"),
        (
            {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]},
            ["blue", "red"],
            "r",
        ),
        ({"type": "string", "oneOf": [{"const": "r", "title": "Red"}]}, ["Red"], "r"),
        ({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}, ["a, B"], ["a", "b"]),
    ],
)
def test_answers_become_what_the_server_wants(
    bench: Any, field: Any, answers: list[str], value: Any
) -> None:
    person = Person(*answers)
    result = converse(bench, person, form({"a": field}, "a"))
    assert result == {"action": "accept", "content": {"a": value}}
    assert len({question.id for question in person.questions}) == len(answers)


def test_what_may_be_left_out_takes_its_default(bench: Any) -> None:
    fields = {"a": {"type": "string", "default": "x"}, "b": {"type": "integer"}, **FORM}
    result = converse(bench, Person("skip", "Skip", "Ada"), form(fields, "name"))
    assert result["content"] == {"a": "x", "name": "Ada"}


@pytest.mark.parametrize("answers", [["Decline"], ["decline "], ["x"] * 5, []])
def test_declining_not_understanding_and_nobody_there(bench: Any, answers: list[str]) -> None:
    person = Person(*answers)
    assert converse(bench, person, form({"a": {"type": "integer"}}, "a")) == {"action": "decline"}
    assert len(person.questions) <= 3


def test_a_form_without_end_is_declined_unseen(bench: Any) -> None:
    person = Person("x")
    fields = {f"f{number}": {"type": "string"} for number in range(9)}
    assert converse(bench, person, form(fields)) == {"action": "decline"}
    assert person.questions == []


def test_an_address_is_shown_and_confirmed(bench: Any) -> None:
    person = Person("Done")
    params = {"mode": "url", "message": "Pay", "url": "https://x.test/pay", "elicitationId": "e"}
    assert converse(bench, person, params) == {"action": "accept"}
    assert "https://x.test/pay" in person.questions[0].text


def test_the_time_that_a_person_takes_does_not_count(bench: Any) -> None:
    class Slow(Person):
        async def ask(self, question: Question) -> str:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            loop.call_later(0.6, done.set_result, "Ada")  # twice as long as a call may take
            return str(await done)

    async def check() -> None:
        async with opened(bench, Slow("Ada"), toolTimeout=0.3) as tool:
            result = await bench.call(tool, "mcp_fake_asks", params=form(FORM))
            assert json.loads(result.text)["result"]["content"] == {"name": "Ada"}

    run(check())


def test_a_question_that_could_be_of_several_calls_is_declined(bench: Any) -> None:
    person = Person("Ada")

    async def check() -> None:
        async with opened(bench, person) as tool:
            other = asyncio.create_task(bench.call(tool, "mcp_fake_hangs"))
            await bench.until(lambda: bench.heard("tools/call"))
            result = await bench.call(tool, "mcp_fake_asks", params=form(FORM))
            assert json.loads(result.text)["result"] == {"action": "decline"}
            other.cancel()
            await asyncio.wait([other])
        assert person.questions == []

    run(check())
