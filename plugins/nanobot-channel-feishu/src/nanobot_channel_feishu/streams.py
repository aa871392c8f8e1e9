"""Answers that appear as they are written: CardKit, and what there is without it.

A card is made with ``streaming_mode``, a message shows it, and its one element is given the whole
text again and again; the platform types out what is new. Every change carries a sequence number
greater than the last. At the end the mode is switched off, or the chat would say "generating" for
ten minutes.

An app without the scope for CardKit sends a card that is replaced as a whole, or, where cards are
refused, rich text that is replaced once, at the end: it may be edited twenty times only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from nanobot.log import Logger
from nanobot_gateway.channel import Outgoing

from nanobot_channel_feishu import render
from nanobot_channel_feishu.api import Api, at
from nanobot_channel_feishu.faults import BAD_CONTENT, NOT_PERMITTED, STREAM_CLOSED, ApiError
from nanobot_channel_feishu.render import Body
from nanobot_channel_feishu.sender import Sender

_ELEMENT = "answer"
_KEPT = 500
_SUMMARY = 60


@dataclass(kw_only=True, slots=True)
class _Stream:
    """An answer that is being written.

    Attributes:
        way: How it is changed.
        card: CardKit's id of the card.
        sequence: The last one that was used.
        ended: It is shown as a whole; nothing is left to change.
    """

    way: Literal["cardkit", "card", "post"]
    card: str = ""
    sequence: int = 0
    ended: bool = False

    def next(self) -> int:
        self.sequence += 1
        return self.sequence


class Streams:
    """Begins, continues and ends streamed answers."""

    def __init__(self, api: Api, sender: Sender, log: Logger) -> None:
        self._api = api
        self._sender = sender
        self._log = log
        self._streams: dict[str, _Stream] = {}
        self._made: dict[str, str] = {}  # cards that no message shows yet, by `Outgoing.id`
        self._cardkit = True

    async def begin(self, message: Outgoing) -> str:
        """Send the beginning of an answer and return the platform's id of it.

        Raises:
            ApiError: The platform did not take it.
        """
        card = await self._card(message) if self._cardkit else ""
        if card:
            shown = json.dumps({"type": "card", "data": {"card_id": card}})
            sent = await self._sender.put(message, Body(kind="interactive", content=shown), "card")
            self._made.pop(message.id, None)
            return self._keep(sent, _Stream(way="cardkit", card=card))
        try:
            body = render.card(_plain_card(message.text))
            return self._keep(await self._sender.put(message, body, "card"), _Stream(way="card"))
        except ApiError as error:
            if error.code not in BAD_CONTENT | NOT_PERMITTED:
                raise
        body = render.post(message.text)
        return self._keep(await self._sender.put(message, body, "post"), _Stream(way="post"))

    async def edit(self, sent: str, message: Outgoing) -> None:
        """Show more of an answer, or all of it.

        Raises:
            ApiError: It was not changed.
        """
        stream = self._streams.get(sent)
        if stream is None:
            raise ApiError(-1, "this message is not being written any more", status=410)
        if stream.ended:
            return
        if stream.way == "cardkit":
            await self._write(stream, message.text)
            if not message.partial:
                await self._end(stream, message)
        elif stream.way == "card":
            made = render.cards(message.text) if not message.partial else []
            card = made[0] if len(made) == 1 else _plain_card(message.text)
            content = render.card(card).content
            await self._api.call(
                "PATCH", at("im", "v1", "messages", sent), body={"content": content}
            )
        elif not message.partial:
            body = render.post(message.text)
            await self._api.call(
                "PUT",
                at("im", "v1", "messages", sent),
                body={"msg_type": body.kind, "content": body.content},
            )
        stream.ended = not message.partial

    def forget(self, sent: str) -> None:
        """Give up an answer that is whole."""
        self._streams.pop(sent, None)

    # --- CardKit ---------------------------------------------------------------------------------

    async def _card(self, message: Outgoing) -> str:
        """Make a card, the same when a message is tried again; empty when that is not to be."""
        if known := self._made.get(message.id):
            return known
        element = render.markdown_element(render.harmless(message.text), element_id=_ELEMENT)
        content = render.card(render.card_of([element], streaming_mode=True)).content
        try:
            answer = await self._api.call(
                "POST", "/cardkit/v1/cards", body={"type": "card_json", "data": content}
            )
        except ApiError as error:
            if error.retryable:
                raise
            self._cardkit = error.code not in NOT_PERMITTED
            self._log.warning(
                "feishu_cardkit_refused",
                reason=str(error),
                remedy="Grant the scope cardkit:card:write to let answers appear as written.",
            )
            return ""
        card = str((answer.get("data") or {}).get("card_id") or "")
        _bound(self._made)[message.id] = card
        return card

    async def _write(self, stream: _Stream, text: str) -> None:
        try:
            await self._put_text(stream, text)
        except ApiError as error:
            if error.code not in STREAM_CLOSED:
                raise
            await self._settings(stream, {"streaming_mode": True})
            await self._put_text(stream, text)

    async def _put_text(self, stream: _Stream, text: str) -> None:
        await self._api.call(
            "PUT",
            at("cardkit", "v1", "cards", stream.card, "elements", _ELEMENT, "content"),
            body={"content": render.harmless(text) or " ", "sequence": stream.next()},
        )

    async def _end(self, stream: _Stream, message: Outgoing) -> None:
        """Switch streaming off and show tables as tables; the text itself is there already."""
        first = next((line for line in message.text.splitlines() if line.strip()), "")
        summary = {"content": render.harmless(first)[:_SUMMARY]}
        for _ in range(2):
            try:
                await self._settings(stream, {"streaming_mode": False, "summary": summary})
                break
            except ApiError as error:
                if error.code in STREAM_CLOSED:
                    break
                self._log.warning("feishu_stream_not_ended", reason=str(error))
        made = render.cards(message.text)
        if len(made) > 1 or not any(e["tag"] != "markdown" for e in made[0]["body"]["elements"]):
            return
        whole = {"type": "card_json", "data": render.card(made[0]).content}
        try:
            await self._api.call(
                "PUT",
                at("cardkit", "v1", "cards", stream.card),
                body={"card": whole, "sequence": stream.next()},
            )
        except ApiError as error:
            self._log.info("feishu_card_left_as_streamed", reason=str(error))

    async def _settings(self, stream: _Stream, config: dict[str, Any]) -> None:
        await self._api.call(
            "PATCH",
            at("cardkit", "v1", "cards", stream.card, "settings"),
            body={"settings": json.dumps({"config": config}), "sequence": stream.next()},
        )

    def _keep(self, sent: str, stream: _Stream) -> str:
        _bound(self._streams)[sent] = stream
        return sent


def _plain_card(text: str) -> dict[str, Any]:
    return render.card_of([render.markdown_element(render.harmless(text) or " ")])


def _bound(kept: dict[str, Any]) -> dict[str, Any]:
    """Return the same, with room for one more; the oldest goes."""
    while len(kept) >= _KEPT:
        del kept[next(iter(kept))]
    return kept
