"""A server that speaks the Bot API, with the people who use it.

Written from https://core.telegram.org/bots/api: offsets confirm updates for good, a second
`getUpdates` ends the first with 409, texts are checked as Telegram checks them.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import parse_qs, unquote

from nanobot_testing.contracts.channel import Sent

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
BOT = {
    "id": 110201543,
    "is_bot": True,
    "first_name": "Nano",
    "username": "Nano_Bot",
    "can_read_all_group_messages": False,
}
PEOPLE = {
    "u1": {"id": 1001, "is_bot": False, "first_name": "Ann", "username": "ann"},
    "u2": {"id": 1002, "is_bot": False, "first_name": "Bo\nB"},
}
GROUP = {"id": -100500, "type": "supergroup", "title": "Team", "is_forum": True}
TAGS = {"b", "i", "s", "u", "code", "pre", "a", "blockquote"}


class Refused(Exception):
    """An answer that is not `ok`."""

    def __init__(self, status: int, description: str, **parameters: object) -> None:
        self.status = status
        self.answer: dict[str, object] = {
            "ok": False,
            "error_code": status,
            "description": description,
        }
        if parameters:
            self.answer["parameters"] = parameters


class Checked(HTMLParser):
    """Reads HTML as strictly as Telegram does."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS or (tag == "blockquote" and tag in self.open):
            raise Refused(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise Refused(400, "Bad Request: can't parse entities: Unmatched end tag")

    def handle_data(self, data: str) -> None:
        self.shown += data

    @classmethod
    def read(cls, text: str) -> str:
        checked = cls()
        checked.feed(text)
        checked.close()
        if checked.open:
            raise Refused(400, "Bad Request: can't parse entities: Can't find end tag")
        return checked.shown


@dataclass
class Call:
    """A request that the bot made."""

    method: str
    data: dict[str, Any]
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)


class BotApi:
    """The server. Use as ``async with BotApi() as server``."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.downloads = 0
        self.faults: deque[tuple[str, Refused]] = deque()
        self.pending: list[dict[str, Any]] = []
        self.offsets: list[int | None] = []
        self.waits: list[int] = []
        self.chats = {person["id"] for person in PEOPLE.values()} | {GROUP["id"]}
        self.messages: dict[int, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.webhook = "https://old.example/hook"
        self.news = asyncio.Condition()
        self.proxied = 0
        self._next_update = 7000
        self._next_message = 1
        self._poll = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the people -------------------------------------------------------------------------------

    @property
    def config(self) -> Mapping[str, object]:
        assert self._server
        port = self._server.sockets[0].getsockname()[1]
        return {"enabled": True, "apiBase": f"http://127.0.0.1:{port}", "token": TOKEN}

    @property
    def wrong_config(self) -> Mapping[str, object]:
        return {"token": "110201543:AAwrongwrongwrongwrongwrongwrongwro"}

    async def say(
        self, text: str, *, user: str = "u1", chat: str = "", again: bool = False
    ) -> None:
        last = self.messages.get(self._next_message - 1)
        if again and last:
            await self.update(message=last)
        else:
            await self.write(text=text, user=user)

    async def write(
        self, *, user: str = "u1", group: bool = False, **fields: Any
    ) -> dict[str, Any]:
        """Let somebody write a message; return it as Telegram tells it."""
        message = self.message(user=user, group=group, **fields)
        await self.update(message=message)
        return message

    def message(self, *, user: str = "u1", group: bool = False, **fields: Any) -> dict[str, Any]:
        person = PEOPLE[user]
        message = {
            "message_id": self._next_message,
            "date": 1767323045,
            "from": person,
            "chat": GROUP if group else {"id": person["id"], "type": "private", **person},
            **fields,
        }
        message["chat"] = {k: v for k, v in message["chat"].items() if k != "is_bot"}
        self.messages[self._next_message] = message
        self._next_message += 1
        return message

    async def update(self, **content: Any) -> int:
        """Queue an update."""
        async with self.news:
            self._next_update += 1
            self.pending.append({"update_id": self._next_update, **content})
            self.news.notify_all()
        return self._next_update

    async def press(
        self, message: int, data: str, user: str = "u1", inaccessible: bool = False
    ) -> None:
        shown = self.messages[message]
        if inaccessible:
            shown = {"message_id": message, "chat": shown["chat"], "date": 0}
        query = {"id": "q77", "from": PEOPLE[user], "message": shown, "data": data}
        await self.update(callback_query={**query, "chat_instance": "c"})

    async def received(self, count: int) -> Sequence[Sent]:
        sends = await self.called("sendMessage", count)
        return [
            Sent(chat=str(c.data["chat_id"]), text=c.data["shown"], id=str(c.data["id"]))
            for c in sends
        ]

    async def called(self, method: str, count: int = 1) -> list[Call]:
        """Wait until a method succeeded so many times; return these calls."""

        def found() -> list[Call]:
            return [call for call in self.calls if call.method == method and "id" in call.data]

        async with self.news:
            await self.news.wait_for(lambda: len(found()) >= count)
        return found()

    async def tried(self, method: str, count: int = 1) -> list[Call]:
        """Wait until a method was called so many times, whatever came of it."""

        def found() -> list[Call]:
            return [call for call in self.calls if call.method == method]

        async with self.news:
            await self.news.wait_for(lambda: len(found()) >= count)
        return found()

    async def refuse(self, *, retryable: bool) -> None:
        fault = (
            Refused(429, "Too Many Requests: retry after 7", retry_after=7)
            if retryable
            else Refused(403, "Forbidden: bot was blocked by the user")
        )
        self.fail("sendMessage", fault)

    def fail(self, method: str, fault: Refused) -> None:
        """Let the next call of a method fail."""
        self.faults.append((method, fault))

    async def drop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def confirmed(self) -> None:
        """Wait until nothing is left that the bot has not confirmed."""
        async with self.news:
            await self.news.wait_for(lambda: not self.pending)

    # --- the wire ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server
        self._server.close()
        await self.drop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    line, *rest = head.split("\r\n")
                    headers = {
                        name.lower(): value.strip()
                        for name, _, value in (each.partition(":") for each in rest)
                    }
                    body = await reader.readexactly(int(headers.get("content-length", "0")))
                    status, content, kind = await self._answer(line.split(" ")[1], headers, body)
                    writer.write(
                        f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\n"
                        f"content-length: {len(content)}\r\n\r\n".encode()
                        + content
                    )
                    await writer.drain()
        finally:
            writer.transport.abort()

    async def _answer(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, str]:
        if "://" in path:  # as a proxy is asked
            self.proxied += 1
            path = "/" + path.split("/", 3)[3]
        if path.startswith(f"/file/bot{TOKEN}/"):
            self.downloads += 1
            content = self.files.get(unquote(path.removeprefix(f"/file/bot{TOKEN}/")))
            return (
                (200, content, "application/octet-stream")
                if content is not None
                else (
                    404,
                    b"",
                    "text/plain",
                )
            )
        _, token, method = path.split("/", 2)
        try:
            if token != f"bot{TOKEN}":
                raise Refused(401, "Unauthorized")
            call = Call(method, *_form(headers.get("content-type", ""), body))
            result: object = await self._call(call)
            status, answer = 200, {"ok": True, "result": result}
        except Refused as refused:
            status, answer = refused.status, refused.answer
        return status, json.dumps(answer).encode(), "application/json"

    async def _call(self, call: Call) -> object:
        if call.method == "getUpdates":
            return await self._updates(call.data)
        async with self.news:
            self.calls.append(call)
            self.news.notify_all()
            for planned in self.faults:
                if planned[0] == call.method:
                    self.faults.remove(planned)
                    raise planned[1]
            result = getattr(self, f"do_{call.method}")(call)
            call.data.setdefault("id", "")
            self.news.notify_all()
        return result

    # --- the methods ------------------------------------------------------------------------------

    async def _updates(self, data: dict[str, Any]) -> object:
        self._poll += 1
        mine, offset = self._poll, data.get("offset")
        async with self.news:
            if self.webhook:
                raise Refused(409, "Conflict: can't use getUpdates method while webhook is active")
            for planned in self.faults:
                if planned[0] == "getUpdates":
                    self.faults.remove(planned)
                    raise planned[1]
            self.offsets.append(offset)
            self.waits.append(data.get("timeout", 0))
            if offset is not None:
                self.pending = [u for u in self.pending if u["update_id"] >= offset]
            self.news.notify_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(data.get("timeout", 0)):
                    await self.news.wait_for(lambda: self.pending or self._poll != mine)
            if self._poll != mine:
                raise Refused(409, "Conflict: terminated by other getUpdates request")
            allowed = data.get("allowed_updates") or ["message"]
            return [u for u in self.pending if any(k in u for k in allowed) or len(u) == 1][
                : data.get("limit", 100)
            ]

    def do_getMe(self, call: Call) -> object:
        return BOT

    def do_deleteWebhook(self, call: Call) -> object:
        assert not call.data.get("drop_pending_updates")
        self.webhook = ""
        return True

    def do_setMyCommands(self, call: Call) -> object:
        for command in call.data["commands"]:
            if not command["description"]:
                raise Refused(400, "Bad Request: command description is empty")
        return True

    def do_sendChatAction(self, call: Call) -> object:
        return self._chat(call) and True

    def do_setMessageReaction(self, call: Call) -> object:
        return True

    def do_answerCallbackQuery(self, call: Call) -> object:
        return True

    def do_editMessageReplyMarkup(self, call: Call) -> object:
        message = self.messages[call.data["message_id"]]
        message.pop("reply_markup", None)
        return message

    def do_sendMessage(self, call: Call) -> object:
        shown = self._shown(call)
        return self._sent(call, text=shown)

    def do_editMessageText(self, call: Call) -> object:
        message = self.messages.get(call.data["message_id"])
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        shown = self._shown(call)
        markup = call.data.get("reply_markup")
        if message["text"] == shown and message.get("reply_markup") == markup:
            raise Refused(400, "Bad Request: message is not modified: specified new message ...")
        message["text"] = shown
        call.data["id"] = message["message_id"]
        return message

    def do_getFile(self, call: Call) -> object:
        file = call.data["file_id"]
        if file not in self.files:
            raise Refused(400, "Bad Request: file is too big")
        return {"file_id": file, "file_unique_id": file, "file_path": file}

    def do_sendDocument(self, call: Call) -> object:
        return self._sent(call, document={"file_id": "f", "file_unique_id": "f"})

    def do_sendPhoto(self, call: Call) -> object:
        size = {"file_id": "f", "file_unique_id": "f", "width": 1, "height": 1}
        return self._sent(call, photo=[size])

    def do_sendVoice(self, call: Call) -> object:
        return self._sent(call, voice={"file_id": "f", "file_unique_id": "f", "duration": 1})

    def _chat(self, call: Call) -> dict[str, Any]:
        if call.data["chat_id"] not in self.chats:
            raise Refused(400, "Bad Request: chat not found")
        return {"id": call.data["chat_id"], "type": "private", "first_name": "Ann"}

    def _shown(self, call: Call) -> str:
        text = call.data["text"]
        shown = Checked.read(text) if call.data.get("parse_mode") == "HTML" else text
        if not shown.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if len(shown.encode("utf-16-le")) > 2 * 4096:
            raise Refused(400, "Bad Request: message is too long")
        call.data["shown"] = shown
        return str(shown)

    def _sent(self, call: Call, **content: Any) -> object:
        message = {
            "message_id": self._next_message,
            "date": 1767323046,
            "from": BOT,
            "chat": self._chat(call),
            **content,
        }
        if call.data.get("reply_markup"):
            message["reply_markup"] = call.data["reply_markup"]
        self.messages[self._next_message] = message
        call.data["id"] = self._next_message
        self._next_message += 1
        return message


def _form(kind: str, body: bytes) -> tuple[dict[str, Any], dict[str, tuple[str, bytes]]]:
    if kind.startswith("multipart/"):
        raw = b"content-type: " + kind.encode() + b"\r\n\r\n" + body
        data: dict[str, Any] = {}
        files = {}
        for part in message_from_bytes(raw, policy=policy.HTTP).iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if filename := part.get_filename():
                files[name] = (filename, content)
            else:
                data[name] = _value(name, content.decode())
        return data, files
    fields = parse_qs(body.decode(), keep_blank_values=True)
    return {name: _value(name, values[0]) for name, values in fields.items()}, {}


def _value(name: str, text: str) -> Any:
    if name in ("text", "description", "callback_query_id"):
        return text
    with suppress(ValueError):
        return json.loads(text)
    return text
