"""Conversations that the vendor stores: continued, forgotten, changed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import (
    AssistantMessage,
    ReasoningBlock,
    Text,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import ModelFinish
from nanobot_provider_openai.state import resumption
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.responses import ResponsesServer, fault_in
from nanobot_testing.servers.wire import Reply, Request, ScriptedServer, json_reply

MODEL = "gpt-5.4-mini"


class StoringServer(ResponsesServer):
    """Keeps what it is told to store, and goes on from there; checks the whole conversation."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, list[Any]] = {}

    def answer(self, request: Request) -> Reply:
        body = request.json
        known = body.get("previous_response_id")
        if known and known not in self.stored:
            words = f"Previous response with id '{known}' not found."
            error = {"message": words, "code": "previous_response_not_found", "param": None}
            return json_reply({"error": error}, status=400)
        items = [*self.stored.get(known, ()), *body["input"]]
        assert fault_in({"input": items}) == ""
        reply = ScriptedServer.answer(self, request)
        for piece in reply.body:
            if isinstance(piece, bytes) and b'"response.completed"' in piece and body["store"]:
                ended = json.loads(piece.partition(b"data: ")[2])["response"]
                self.stored[ended["id"]] = items + ended["output"]
        return reply


class Talk:
    """One conversation that grows."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.messages: list[Any] = []

    async def say(self, text: str, **changes: Any) -> str:
        """Say something, and take the answer into the history; calls get a result."""
        if text:
            self.messages.append(UserMessage(parts=(Text(text=text),)))
        request = ask(model=MODEL, messages=tuple(self.messages))
        events = await collect(self.provider.stream(replace(request, **changes)))
        finish = events[-1]
        assert isinstance(finish, ModelFinish)
        uses = tuple(ToolUse(call=c, result=ToolResult.ok("content")) for c in finish.tool_calls)
        reasoning = tuple(_as_stored(block) for block in finish.reasoning)
        said = AssistantMessage(text=answer(events), tool_uses=uses, reasoning=reasoning)
        self.messages.append(said)
        return answer(events)


def _as_stored(block: ReasoningBlock) -> ReasoningBlock:
    """Return what a transcript gives back."""
    opaque = json.loads(json.dumps(dict(block.opaque)))
    return ReasoningBlock(text=block.text, dialect=block.dialect, opaque=opaque)


@pytest.fixture
def stateful(tmp_path: Path) -> Callable[..., None]:
    """Run a check with a conversation and a server that stores."""

    def start(check: Callable[[Talk, StoringServer], Awaitable[None]], **more: Any) -> None:
        async def go() -> None:
            async with StoringServer() as server:
                section = {"apiKey": KEY, "apiType": "responses", "apiBase": server.base_url}
                section |= {"serverState": True, **more}
                async with open_spec(load_spec("providers.openai"), section, tmp_path) as provider:
                    await check(Talk(provider), server)

        run(go())

    return start


def sent(server: StoringServer) -> Any:
    return server.requests[-1].json


def test_only_what_is_new_is_sent(stateful: Any) -> None:
    async def check(talk: Talk, server: StoringServer) -> None:
        server.reply(server.thinking(["Hm."], "Reading.", calls=[("read_file", "{}")] * 2))
        await talk.say("read both")
        assert sent(server)["store"] is True and "previous_response_id" not in sent(server)
        server.reply(server.text("done"))
        await talk.say("")
        first, second = server.stored
        assert sent(server)["previous_response_id"] == first
        assert [item["type"] for item in sent(server)["input"]] == ["function_call_output"] * 2
        await talk.say("more")
        assert sent(server)["previous_response_id"] == second
        assert [item["role"] for item in sent(server)["input"]] == ["user"]
        assert sent(server)["instructions"] and sent(server)["tools"], "these are never stored"

    stateful(check)


def test_a_forgotten_conversation_is_sent_whole(stateful: Any) -> None:
    async def check(talk: Talk, server: StoringServer) -> None:
        server.reply(server.thinking(["Hm."], "", calls=[("read_file", "{}")]))
        await talk.say("read")
        server.stored.clear()
        server.reply(server.text("done"))
        assert await talk.say("") == "done"
        assert len(server.requests) == 3
        whole = sent(server)["input"]
        kinds = [item.get("type", item.get("role")) for item in whole]
        assert kinds == ["user", "reasoning", "function_call", "function_call_output"]
        assert whole[1]["encrypted_content"] and "previous_response_id" not in sent(server)
        await talk.say("more")
        assert "previous_response_id" in sent(server), "and goes on from there"

    stateful(check)


@pytest.mark.parametrize("what", ["words", "model", "server", "vendor", "nothing"])
def test_a_conversation_that_was_changed_is_sent_whole(stateful: Any, what: str) -> None:
    async def check(talk: Talk, server: StoringServer) -> None:
        server.reply(server.text("one"))
        await talk.say("first")
        changes = {}
        if what == "words":
            talk.messages[0] = UserMessage(parts=(Text(text="compacted"),))
        elif what == "model":
            changes["model"] = "gpt-5.6-sol"
        elif what == "server":
            block = talk.messages[1].reasoning[-1]
            opaque = {**block.opaque, "digest": "of another account's server"}
            changed = replace(block, opaque=opaque)
            talk.messages[1] = replace(talk.messages[1], reasoning=(changed,))
        elif what == "vendor":
            talk.messages.append(UserMessage(parts=(Text(text="x"),)))
            talk.messages.append(AssistantMessage(text="of another vendor"))
        await talk.say("second", **changes)
        assert ("previous_response_id" in sent(server)) is (what == "nothing")

    stateful(check)


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_an_answer_that_was_cut_off_is_no_place_to_go_on(stateful: Any, finish: str) -> None:
    async def check(talk: Talk, server: StoringServer) -> None:
        server.reply(server.text("half", finish=finish))
        await talk.say("first")
        server.reply(server.text("two"))
        await talk.say("second")
        assert "previous_response_id" not in sent(server)

    stateful(check)


def test_ids_that_the_vendor_does_not_know_are_no_place_to_go_on(stateful: Any) -> None:
    async def check(talk: Talk, server: StoringServer) -> None:
        reply = server.tools(("read_file", "{}"))
        body = [p.replace(b'"call_00010000"', b"null") for p in reply.body if isinstance(p, bytes)]
        server.reply(Reply(body=body))
        await talk.say("read")
        server.reply(server.text("done"))
        await talk.say("")
        assert "previous_response_id" not in sent(server)

    stateful(check)


def test_other_refusals_are_not_asked_again(stateful: Any) -> None:
    async def check(talk: Talk, server: StoringServer) -> None:
        server.reply(server.text("one"))
        await talk.say("first")
        server.reply(server.failure("bad_request"))
        with pytest.raises(errors.BadRequest):
            await talk.say("second")
        assert len(server.requests) == 2

    stateful(check)


def test_nothing_is_stored_unless_it_is_wanted(stateful: Any) -> None:
    async def check(talk: Talk, server: StoringServer) -> None:
        server.reply(server.text("one"))
        for _ in range(2):
            await talk.say("words")
            assert sent(server)["store"] is False
            assert "previous_response_id" not in sent(server)
        assert server.stored == {}
        assert all("response" not in b.opaque for m in talk.messages[1::2] for b in m.reasoning)

    stateful(check, serverState=False, extraBody={"store": True, "previous_response_id": "resp_1"})


def test_a_history_without_answers_has_no_place_to_go_on() -> None:
    question = UserMessage(parts=(Text(text="hi"),))
    assert resumption((), MODEL, "") is None
    assert resumption((question,), MODEL, "") is None
    assert resumption((question, AssistantMessage(text="a")), MODEL, "") is None
