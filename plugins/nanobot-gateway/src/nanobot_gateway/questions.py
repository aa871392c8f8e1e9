"""Questions that turns wait on: put once, answered by the next words of whoever was asked.

A question and its answer are in the store before anything depends on them, so that both outlive
the process: a turn that goes on after a restart asks the same again, and finds the answer or waits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nanobot.desk import Question
from nanobot.messages import Inbound, Principal, text_of

from nanobot_gateway.store import Store

QUESTIONS = "questions"
ANSWERS = "answers"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """A question that waits for an answer.

    Args:
        who: Channel, account and user who are asked.
        before: Ids of messages that were there before it: they are no answers.
    """

    id: str
    session_key: str
    who: tuple[str, str, str]
    choices: tuple[str, ...]
    before: tuple[str, ...]

    def encoded(self) -> bytes:
        return json.dumps([self.session_key, self.who, self.choices, self.before]).encode()


class Questions:
    """The questions of a gateway.

    Args:
        store: Keeps them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, _Open] = {}
        self._waiting: dict[str, asyncio.Future[str]] = {}

    async def load(self) -> None:
        """Take up what an earlier process asked."""
        for id, value in (await self._store.items(QUESTIONS)).items():
            session_key, who, choices, before = json.loads(value)
            self._open[id] = _Open(
                id=id,
                session_key=session_key,
                who=(who[0], who[1], who[2]),
                choices=tuple(choices),
                before=tuple(before),
            )

    async def put(self, question: Question, before: Sequence[str]) -> asyncio.Future[str]:
        """Keep a question; return its answer to come, or the one that has come already.

        Args:
            before: Ids of the session's messages that can not be meant as answers.
        """
        scope, id = question.turn.scope, question.id
        waiting = self._waiting[id] = asyncio.get_running_loop().create_future()
        kept = (await self._store.items(ANSWERS)).get(id)
        if kept is not None:
            if not waiting.done():
                waiting.set_result(kept.decode("utf-8", "surrogatepass"))
        elif id not in self._open and not waiting.done():
            asked = _Open(
                id=id,
                session_key=scope.session_key,
                who=_who(scope.principal),
                choices=question.choices,
                before=tuple(before),
            )
            await self._store.put(QUESTIONS, id, asked.encoded())
            self._open[id] = asked
        return waiting

    async def close(self, id: str) -> None:
        """Forget a question and its answer."""
        self._open.pop(id, None)
        self._waiting.pop(id, None)
        await self._store.put(QUESTIONS, id, None)
        await self._store.put(ANSWERS, id, None)

    async def take(self, inbound: Inbound) -> bool:
        """Take a message as the answer to the question that its sender was asked, if there is one.

        Once this returns True the answer is stored; the message is done with.
        """
        text = text_of(inbound.parts).strip()
        if text.startswith("/"):
            return False
        who = _who(inbound.principal)
        here = (inbound.session_key, who)
        asked = next((q for q in self._open.values() if (q.session_key, q.who) == here), None)
        if asked is None or inbound.id in asked.before:
            return False
        answer = chosen(text, asked.choices)
        await self._store.put(ANSWERS, asked.id, answer.encode("utf-8", "surrogatepass"))
        await self._store.put(QUESTIONS, asked.id, None)
        self._open.pop(asked.id, None)  # the turn may have withdrawn it meanwhile
        waiting = self._waiting.get(asked.id)
        if waiting and not waiting.done():
            waiting.set_result(answer)
        return True


def chosen(text: str, choices: tuple[str, ...]) -> str:
    """Return the choice that a number or a label means; other words are the answer themselves."""
    if text.isdecimal() and 1 <= int(text) <= len(choices):
        return choices[int(text) - 1]
    labels: Mapping[str, str] = {choice.casefold(): choice for choice in choices}
    return labels.get(text.casefold(), text)


def _who(principal: Principal) -> tuple[str, str, str]:
    return principal.channel, principal.account, principal.user
