"""Reactions that show a sender that a message was seen, and that it was answered."""

from __future__ import annotations

from nanobot.log import Logger

from nanobot_channel_feishu.api import Api, at
from nanobot_channel_feishu.faults import ApiError

_KEPT = 500

Place = tuple[str, str]
"""A chat and a topic in it."""


class Reactions:
    """Puts a reaction on messages that are worked on; failures are logged and forgotten.

    Args:
        working: Emoji while a message is worked on, empty for none.
        done: Emoji once it was answered, empty for none.
    """

    def __init__(self, api: Api, log: Logger, *, working: str, done: str) -> None:
        self._api = api
        self._log = log
        self._working = working
        self._done = done
        self._open: dict[str, tuple[Place, str]] = {}

    async def begin(self, place: Place, message: str) -> None:
        """Show that a message is worked on."""
        if not self._working and not self._done:
            return
        if len(self._open) >= _KEPT:
            del self._open[next(iter(self._open))]
        self._open[message] = (place, "")
        made = await self._add(message, self._working)
        if message in self._open:
            self._open[message] = (place, made)
        else:  # it was answered in the meantime
            await self._remove(message, made)

    async def end(self, place: Place) -> None:
        """Show that what was written in a place is answered."""
        ended = {m: made for m, (where, made) in self._open.items() if where == place}
        for message in ended:
            del self._open[message]
        for message, made in ended.items():
            await self._remove(message, made)
            await self._add(message, self._done)

    async def _add(self, message: str, emoji: str) -> str:
        if not emoji:
            return ""
        try:
            answer = await self._api.call(
                "POST",
                at("im", "v1", "messages", message, "reactions"),
                body={"reaction_type": {"emoji_type": emoji}},
            )
        except ApiError as error:
            self._log.info("feishu_reaction_refused", reason=str(error))
            return ""
        return str((answer.get("data") or {}).get("reaction_id") or "")

    async def _remove(self, message: str, made: str) -> None:
        if not made:
            return
        try:
            await self._api.call("DELETE", at("im", "v1", "messages", message, "reactions", made))
        except ApiError as error:
            self._log.info("feishu_reaction_left", reason=str(error))
