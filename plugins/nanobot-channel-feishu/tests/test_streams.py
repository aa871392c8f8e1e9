"""Answers that appear as they are written, and reactions meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot.messages import Target
from nanobot_gateway.channel import Accepted, DeliveryError, Incoming, Outgoing, Verdict
from nanobot_testing.contracts.channel import Host

Live = Callable[..., Any]

FIRST = Outgoing(
    id="out-1", target=Target(channel="feishu", chat="ou_u1"), text="Hel", partial=True
)


def later(text: str, *, partial: bool = True, **more: Any) -> Outgoing:
    return replace(FIRST, text=text, partial=partial, **more)


def test_an_answer_streams_into_a_card(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(FIRST)
        (message,), (card,) = server.sent, server.cards.values()
        assert sent == message.id and card.streaming and card.shown
        assert card.data["config"]["streaming_mode"] is True
        await channel.edit(sent, later("Hello"))
        await channel.edit(sent, later("Hello **you**", partial=False))
        assert card.texts == ["Hel", "Hello", "Hello **you**"]
        assert not card.streaming and card.summary == "Hello **you**"
        assert len(server.sent) == 1
        with pytest.raises(DeliveryError) as caught:
            await channel.edit(sent, later("more"))
        assert not caught.value.retryable

    live(work)


def test_several_answers_stream_at_once(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        one = await channel.send(FIRST)
        two = await channel.send(replace(FIRST, id="out-2", text="Two"))
        await channel.edit(two, later("Two!", partial=False))
        await channel.edit(one, later("One!", partial=False))
        assert [card.texts[-1] for card in server.cards.values()] == ["One!", "Two!"]

    live(work)


def test_tables_are_tables_in_the_end(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("x")
    text = "# Title\n\n| a |\n|---|\n| 1 |"

    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(FIRST)
        await channel.edit(sent, later(text, partial=False, files=(file,)))
        (card,) = server.cards.values()
        assert card.texts[-1] == text
        assert [e["tag"] for e in card.data["body"]["elements"]] == ["div", "table"]
        assert [m.kind for m in server.sent] == ["interactive", "file"]

    live(work)


def test_a_file_that_fails_in_the_end_is_tried_again(
    live: Live, feishu: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("x")
    last = later("| a |\n|---|\n| 1 |", partial=False, files=(file, tmp_path / "no.txt"))

    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(FIRST)
        server.refusals.append(feishu.Refusal("/im/v1/files", 99991400))
        with pytest.raises(DeliveryError) as caught:
            await channel.edit(sent, last)
        assert caught.value.retryable
        await channel.edit(sent, last)
        (card,) = server.cards.values()
        assert "no.txt is not attached" in card.texts[-1] and not card.streaming
        assert [m.kind for m in server.sent] == ["interactive", "file"]

    live(work)


def test_a_stream_that_the_platform_closed_is_opened_again(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(FIRST)
        (card,) = server.cards.values()
        card.streaming = False  # as after ten minutes
        await channel.edit(sent, later("Hello"))
        assert card.texts[-1] == "Hello" and card.streaming
        await channel.edit(sent, later("Hello!", partial=False))
        assert card.texts[-1] == "Hello!" and not card.streaming

    live(work)


def test_an_edit_that_was_refused_can_be_made_again(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(FIRST)
        limited = feishu.Refusal(
            "/cardkit/v1/cards", 99991400, headers={"x-ogw-ratelimit-reset": "3"}
        )
        server.refusals.append(limited)
        with pytest.raises(DeliveryError) as caught:
            await channel.edit(sent, later("Hello", partial=False))
        assert caught.value.retryable and caught.value.retry_after == 3
        await channel.edit(sent, later("Hello", partial=False))
        (card,) = server.cards.values()
        assert card.texts[-1] == "Hello" and not card.streaming

    live(work)


def test_a_beginning_that_is_tried_again_shows_the_same_card(
    live: Live, feishu: ModuleType
) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.refuse(retryable=True)
        with pytest.raises(DeliveryError):
            await channel.send(FIRST)
        sent = await channel.send(FIRST)
        await channel.edit(sent, later("Hello", partial=False))
        (card,) = server.cards.values()
        assert card.shown and card.texts[-1] == "Hello"

    live(work)


def test_closing_is_tried_twice(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(FIRST)
        (id,) = server.cards
        server.refusals.append(feishu.Refusal(f"/cardkit/v1/cards/{id}/settings", 2200))
        await channel.edit(sent, later("Hello", partial=False))
        assert not server.cards[id].streaming

    live(work)


def test_without_the_scope_a_plain_card_is_replaced(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(FIRST)
        (message,) = server.sent
        await channel.edit(sent, later("Hello ![p](https://x.test/p.png)"))
        await channel.edit(sent, later("# Hello", partial=False))
        shown = [json.loads(edit)["body"]["elements"] for edit in message.edits]
        assert shown[0] == [{"tag": "markdown", "content": "Hello [p](https://x.test/p.png)"}]
        assert shown[1][0]["text"]["content"] == "**Hello**"
        await channel.send(replace(FIRST, id="out-2"))
        assert len(server.called("POST", "/cardkit")) == 1  # it is not asked again

    live(work, prepare=lambda server: server.scopes.clear())


def test_where_cards_are_refused_rich_text_is_replaced_once(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.refusals.append(feishu.Refusal("/im/v1/messages", 230099, "no cards"))
        sent = await channel.send(FIRST)
        (message,) = server.sent
        assert message.kind == "post"
        for n in range(30):
            await channel.edit(sent, later(f"Hello {n}"))
        await channel.edit(sent, later("Hello you", partial=False))
        assert len(message.edits) == 1 and server.text_of(message) == "Hello you"

    live(work, prepare=lambda server: server.scopes.clear())


def test_a_chat_that_refuses_refuses_streams_too(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.refuse(retryable=False)
        with pytest.raises(DeliveryError) as caught:
            await channel.send(FIRST)
        assert not caught.value.retryable and not server.sent

    live(work)


# --- reactions ------------------------------------------------------------------------------------


def test_a_reaction_shows_that_a_message_is_worked_on(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        one = await server.write("text", {"text": "a"})
        two = await server.write("text", {"text": "b"}, user="u2")
        await server.until(lambda: len(server.reactions) == 2)
        assert set(server.reactions.values()) == {(one, "THUMBSUP"), (two, "THUMBSUP")}
        await server.until(lambda: len(server.acks) == 2)
        mine = Target(channel="feishu", chat="ou_u1")
        await channel.typing(mine, on=True)
        assert len(server.reactions) == 2
        await channel.typing(mine, on=False)
        assert set(server.reactions.values()) == {(one, "DONE"), (two, "THUMBSUP")}
        await channel.typing(mine, on=False)
        assert len(server.reactions) == 2

    live(work, doneEmoji="DONE")


def test_nobody_sees_a_reaction_who_may_not_talk(live: Live) -> None:
    class Closed(Host):
        async def accept(self, message: Incoming) -> Accepted:
            await super().accept(message)
            return Accepted(verdict=Verdict.DENIED)

    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.say("let me in")
        await server.until(lambda: len(server.acks) == 1)

    async def check(channel: Any, server: Any, host: Host) -> None:
        await work(channel, server, host)
        await channel.typing(Target(channel="feishu", chat="ou_u1"), on=False)
        assert not [c for c in server.calls if "reactions" in c.path]

    live(check, host=Closed())


def test_reactions_that_are_refused_disturb_nothing(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.refusals.append(feishu.Refusal("/im/v1/messages/om_1/reactions", 99991672))
        await server.say("a")
        await server.until(lambda: not server.refusals)
        await channel.typing(Target(channel="feishu", chat="ou_u1"), on=False)
        await server.until(lambda: len(server.acks) == 1)
        assert not server.reactions and server.connections == 1

    live(work)


def test_reactions_can_be_switched_off(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.say("a")
        await server.until(lambda: len(server.acks) == 1)
        await channel.typing(Target(channel="feishu", chat="ou_u1"), on=False)
        assert not [c for c in server.calls if "reactions" in c.path]

    live(work, reactEmoji="")
