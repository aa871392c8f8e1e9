"""A Feishu on the loopback interface: REST API, CardKit, and the long connection with its frames.

It follows the platform's documentation: what it refuses there is refused here, with the same codes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from nanobot_channel_feishu.connection import SDK
from nanobot_testing.contracts.channel import Sent

APP, SECRET, BOT = "cli_a1b2c3d4", "s3cr3t-of-the-app", "ou_bot"
IMMEDIATELY = 4  # deliveries of an event; the platform's pauses between them are left out
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 16


@dataclass
class Refusal:
    """What to answer instead of doing what is asked, once."""

    path: str
    code: int
    message: str = "refused"
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """A request to the API."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, bytes]:
        """Return the fields of a multipart form; the name of a file under ``filename``."""
        boundary = self.headers["content-type"].partition("boundary=")[2].encode()
        fields = {}
        for part in self.body.split(b"--" + boundary)[1:-1]:
            head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb'\bname="([^"]*)"', head)
            file = re.search(rb'filename="([^"]*)"', head)
            assert name
            fields[name[1].decode()] = content
            if file:
                fields["filename"] = file[1]
        return fields


@dataclass
class Message:
    """A message that the platform keeps."""

    id: str
    chat: str
    kind: str
    content: str
    sender: str = APP
    reply_to: str = ""
    in_thread: bool = False
    edits: list[str] = field(default_factory=list)
    upper: str = ""

    @property
    def data(self) -> Any:
        return json.loads(self.content)


@dataclass
class Card:
    """A card of CardKit."""

    data: dict[str, Any]
    streaming: bool
    shown: bool = False
    sequence: int = 0
    texts: list[str] = field(default_factory=list)
    summary: str = ""


class FeishuServer:
    """The platform; use as ``async with FeishuServer() as server``."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.messages: dict[str, Message] = {}
        self.sent: list[Message] = []
        self.cards: dict[str, Card] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, dict[str, bytes]] = {}
        self.reactions: dict[str, tuple[str, str]] = {}
        self.refusals: deque[Refusal] = deque()
        self.scopes = {"cardkit:card:write"}
        self.users: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.frames: list[str] = []
        self.acks: list[tuple[str, int]] = []
        self.pings = 0
        self.connections = 0
        self.last_event: dict[str, Any] = {}
        self._uuids: dict[str, str] = {}
        self._open: list[asyncio.StreamWriter] = []
        self._tickets: set[str] = set()
        self._tries: dict[str, int] = {}
        self._in_flight: dict[str, bytes] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self.news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    # --- the platform of the contract ------------------------------------------------------------

    @property
    def config(self) -> Mapping[str, object]:
        return {
            "enabled": True,
            "appId": APP,
            "appSecret": SECRET,
            "domain": f"http://127.0.0.1:{self.port}",
        }

    @property
    def wrong_config(self) -> Mapping[str, object]:
        return {"appSecret": "of-another-app"}

    async def say(
        self, text: str, *, user: str = "u1", chat: str = "", again: bool = False
    ) -> None:
        if again:
            await self.push(self.last_event)
        else:
            await self.write("text", {"text": text}, user=user, chat=chat)

    async def received(self, count: int) -> Sequence[Sent]:
        await self.until(lambda: len(self.sent) >= count)
        return [Sent(chat=m.chat, text=self.text_of(m), id=m.id) for m in self.sent]

    async def refuse(self, *, retryable: bool) -> None:
        limited = Refusal(
            "/im/v1/messages", 230020, "frequency limit", headers={"x-ogw-ratelimit-reset": "7"}
        )
        unknown = Refusal("/im/v1/messages", 230013, "Bot has NO availability to this user.")
        self.refusals.append(limited if retryable else unknown)

    async def drop(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    # --- what people do --------------------------------------------------------------------------

    async def write(
        self, kind: str, content: object, *, user: str = "u1", chat: str = "", **more: Any
    ) -> str:
        """Let a user write; in the group ``chat``, or to the bot. Returns the message's id."""
        id = self.number("om_")
        message = {
            "message_id": id,
            "chat_id": chat or f"oc_p2p_{user}",
            "chat_type": "group" if chat else "p2p",
            "message_type": kind,
            "content": content if isinstance(content, str) else json.dumps(content),
            "create_time": "1767323045000",
            **more,
        }
        ids = {"open_id": f"ou_{user}", "union_id": f"on_{user}", "user_id": user}
        self.messages[id] = Message(
            id, message["chat_id"], kind, message["content"], sender=f"ou_{user}"
        )
        sender = {"sender_id": ids, "sender_type": "user", "tenant_key": "tenant"}
        await self.happen("im.message.receive_v1", {"sender": sender, "message": message})
        return id

    async def happen(self, kind: str, event: object, **header: str) -> None:
        """Let an event be delivered."""
        self.last_event = {
            "schema": "2.0",
            "header": {
                "event_id": self.number("ev_"),
                "event_type": kind,
                "create_time": "1767323045000",
                "token": "",
                "app_id": APP,
                "tenant_key": "tenant",
                **header,
            },
            "event": event,
        }
        await self.push(self.last_event)

    async def push(self, event: object, *, pieces: int = 1) -> None:
        """Deliver an event to a connection, in one frame or in several."""
        await self.until(lambda: bool(self._open))
        id = self.number("frame_")
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._in_flight[id] = data
        self.frames.append(id)
        self._send_event(id, data, pieces)

    def _send_event(self, id: str, data: bytes, pieces: int = 1) -> None:
        self._tries[id] = self._tries.get(id, 0) + 1
        size = -(-len(data) // pieces)
        for n in range(pieces):
            frame = SDK.client.Frame()
            frame.SeqID, frame.LogID, frame.service, frame.method = n, 0, 7, 1
            headers = {
                "type": "event",
                "message_id": id,
                "trace_id": "trace",
                "sum": str(pieces),
                "seq": str(n),
            }
            for key, value in headers.items():
                header = frame.headers.add()
                header.key, header.value = key, value
            frame.payload = data[n * size : (n + 1) * size]
            self._open[-1].write(_ws_frame(frame.SerializeToString()))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with self.news:
            await self.news.wait_for(holds)

    async def tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    def number(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}{self._numbers}"

    def text_of(self, message: Message) -> str:
        """Return what people see of a message."""
        data = message.data
        if message.kind == "text":
            return str(data["text"])
        if message.kind == "post":
            lines = next(iter(data.values()))["content"]
            return "\n".join("".join(e["text"] for e in line) for line in lines)
        if message.kind == "interactive" and data.get("type") == "card":
            card = self.cards[data["data"]["card_id"]]
            return card.texts[-1]
        if message.kind == "interactive":
            return "\n".join(_texts(data["body"]["elements"]))
        return message.content

    def called(self, method: str, path: str) -> list[Call]:
        return [c for c in self.calls if c.method == method and c.path.startswith(path)]

    # --- HTTP ------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ", 2)
                pairs = (line.split(":", 1) for line in head[1:] if ":" in line)
                headers = {name.strip().lower(): value.strip() for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                parts = urlsplit(target)
                query = {k: v[0] for k, v in parse_qs(parts.query).items()}
                call = Call(method, unquote(parts.path), query, headers, body)
                if headers.get("upgrade", "").lower() == "websocket":
                    await self._long_connection(call, reader, writer)
                    return
                status, more, answer = self._answer(call)
                await self.tell()
                if call.path in self.held:
                    await self.held[call.path].wait()
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                lines = [f"HTTP/1.1 {status} Answer", f"content-length: {len(data)}"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + data)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if writer in self._open:
                self._open.remove(writer)
            writer.close()

    def _answer(self, call: Call) -> tuple[int, Mapping[str, str], Any]:
        path = call.path.removeprefix("/open-apis")
        for refusal in self.refusals:
            if path.startswith(refusal.path):
                self.refusals.remove(refusal)
                body = {"code": refusal.code, "msg": refusal.message}
                return refusal.status, refusal.headers, body
        if path == "/callback/ws/endpoint":
            return 200, {}, self._endpoint(call.json)
        if path == "/auth/v3/tenant_access_token/internal":
            return 200, {}, self._token(call.json)
        call.path = path
        self.calls.append(call)
        if call.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 400, {}, {"code": 99991663, "msg": "Invalid access token for authorization"}
        return self._api(call)

    def _endpoint(self, body: Any) -> Any:
        if (body["AppID"], body["AppSecret"]) != (APP, SECRET):
            return {"code": 1000040344, "msg": "app_id or app_secret is wrong"}
        ticket = os.urandom(8).hex()
        self._tickets.add(ticket)
        url = f"ws://127.0.0.1:{self.port}/ws/v2?device_id=d1&service_id=7&ticket={ticket}"
        settings = {
            "ReconnectCount": -1,
            "ReconnectInterval": 120,
            "ReconnectNonce": 30,
            "PingInterval": 120,
        }
        return {"code": 0, "msg": "", "data": {"URL": url, "ClientConfig": settings}}

    def _token(self, body: Any) -> Any:
        if (body["app_id"], body["app_secret"]) != (APP, SECRET):
            return {"code": 10014, "msg": "app secret invalid"}
        token = f"t-{os.urandom(8).hex()}"
        self.tokens.add(token)
        return {"code": 0, "msg": "ok", "tenant_access_token": token, "expire": 7200}

    # --- the API ---------------------------------------------------------------------------------

    def _api(self, call: Call) -> tuple[int, Mapping[str, str], Any]:
        routes: Sequence[tuple[str, str, Callable[..., Any]]] = (
            ("GET", r"/bot/v3/info", self._bot),
            ("GET", r"/contact/v3/users/([^/]+)", self._user),
            ("POST", r"/im/v1/messages", self._create),
            ("GET", r"/im/v1/messages/([^/]+)", self._get),
            ("PATCH", r"/im/v1/messages/([^/]+)", self._patch),
            ("PUT", r"/im/v1/messages/([^/]+)", self._put),
            ("POST", r"/im/v1/messages/([^/]+)/reply", self._reply),
            ("GET", r"/im/v1/messages/([^/]+)/resources/(.+)", self._resource),
            ("POST", r"/im/v1/messages/([^/]+)/reactions", self._react),
            ("DELETE", r"/im/v1/messages/([^/]+)/reactions/([^/]+)", self._unreact),
            ("POST", r"/im/v1/images", self._image),
            ("POST", r"/im/v1/files", self._file),
            ("POST", r"/cardkit/v1/cards", self._make_card),
            ("PUT", r"/cardkit/v1/cards/([^/]+)", self._replace_card),
            ("PUT", r"/cardkit/v1/cards/([^/]+)/elements/([^/]+)/content", self._stream),
            ("PATCH", r"/cardkit/v1/cards/([^/]+)/settings", self._set),
        )
        for method, pattern, do in routes:
            found = re.fullmatch(pattern, call.path)
            if found and method == call.method:
                if call.path.startswith("/cardkit") and "cardkit:card:write" not in self.scopes:
                    message = "Access denied. One of the following scopes is required"
                    return 400, {}, {"code": 99991672, "msg": message}
                answer = do(call, *found.groups())
                if isinstance(answer, bytes):
                    return 200, {"content-type": "application/octet-stream"}, answer
                if isinstance(answer, tuple):
                    return 400, {}, {"code": answer[0], "msg": answer[1]}
                if call.path == "/bot/v3/info":
                    return 200, {}, {"code": 0, "msg": "ok", **answer}
                return 200, {}, {"code": 0, "msg": "success", "data": answer}
        return 404, {}, {"code": 99991404, "msg": "no such API"}

    def _bot(self, call: Call) -> Any:
        return {"bot": {"open_id": BOT, "app_name": "Nanobot", "activate_status": 2}}

    def _user(self, call: Call, user: str) -> Any:
        if user not in self.users or call.query.get("user_id_type") != "open_id":
            return 41050, "no user authority"
        return {"user": {"open_id": user, "name": self.users[user]}}

    def _create(self, call: Call) -> Any:
        kinds = {"ou_": "open_id", "oc_": "chat_id", "on_": "union_id"}
        chat = call.json["receive_id"]
        if call.query["receive_id_type"] != kinds[chat[:3]]:
            return 99992351, "not a valid id"
        return self._new(call.json, chat)

    def _reply(self, call: Call, id: str) -> Any:
        if id not in self.messages:
            return 230011, "The message is recalled."
        body = call.json
        return self._new(body, self.messages[id].chat, id, bool(body["reply_in_thread"]))

    def _new(self, body: Any, chat: str, reply_to: str = "", in_thread: bool = False) -> Any:
        uuid = body["uuid"]
        assert len(uuid) <= 50
        if uuid in self._uuids:
            return {"message_id": self._uuids[uuid]}
        kind, content = body["msg_type"], body["content"]
        if fault := self._fault(kind, content):
            return fault
        message = Message(self.number("om_sent_"), chat, kind, content, APP, reply_to, in_thread)
        self.messages[message.id] = message
        self.sent.append(message)
        self._uuids[uuid] = message.id
        return {"message_id": message.id}

    def _fault(self, kind: str, content: str) -> tuple[int, str] | None:
        """Say what is wrong with the content of a message."""
        limit = 150_000 if kind == "text" else 30_000
        if len(content.encode()) > limit:
            return 230025, "The length of the message content reaches its limit."
        data = json.loads(content)
        if kind == "interactive" and data.get("type") == "card":
            card = self.cards.get(data["data"]["card_id"])
            if card is None or card.shown:
                return 230099, "Failed to create card content, card entity can not be sent"
            card.shown = True
            return None
        if kind == "interactive":
            return _card_fault(data)
        shapes = {
            "text": ("text",),
            "post": ("zh_cn",),
            "image": ("image_key",),
            "file": ("file_key",),
            "audio": ("file_key",),
            "media": ("file_key",),
        }
        if not all(key in data for key in shapes[kind]):
            return 230001, "invalid message content"
        for key in ("image_key", "file_key"):
            if key in data and data[key] not in self.uploads:
                return 230055, "The type of file upload does not match the type of message."
        return None

    def _get(self, call: Call, id: str) -> Any:
        if id not in self.messages:
            return 230110, "Message unavailable as it has been deleted."
        items = [m for m in self.messages.values() if m.id == id or m.upper == id]
        return {
            "items": [
                {
                    "message_id": m.id,
                    "msg_type": m.kind,
                    "body": {"content": m.content},
                    "sender": {
                        "id": m.sender,
                        "sender_type": "app" if m.sender == APP else "user",
                    },
                    **({"upper_message_id": m.upper} if m.upper else {}),
                }
                for m in items
            ]
        }

    def _patch(self, call: Call, id: str) -> Any:
        message = self.messages[id]
        if message.kind != "interactive":
            return 230001, "only cards can be patched"
        if fault := _card_fault(json.loads(call.json["content"])):
            return fault
        message.content = call.json["content"]
        message.edits.append(message.content)
        return {}

    def _put(self, call: Call, id: str) -> Any:
        message = self.messages[id]
        if message.kind not in ("text", "post"):
            return 230054, "This operation is not supported for this message type."
        message.content = call.json["content"]
        message.edits.append(message.content)
        if len(message.edits) > 20:
            return 230072, "The message has reached the number of times it can be edited."
        return {}

    def _resource(self, call: Call, id: str, key: str) -> Any:
        if id not in self.messages or key not in self.files or "type" not in call.query:
            return 234003, "File not in msg."
        return self.files[key]

    def _react(self, call: Call, id: str) -> Any:
        if id not in self.messages:
            return 231003, "The message is not found"
        key = self.number("reaction_")
        self.reactions[key] = (id, call.json["reaction_type"]["emoji_type"])
        return {"reaction_id": key}

    def _unreact(self, call: Call, id: str, key: str) -> Any:
        return {} if self.reactions.pop(key, None) else (231011, "The reaction is not found")

    def _image(self, call: Call) -> Any:
        form = call.form()
        assert form["image_type"] == b"message" and form["image"]
        return self._upload("img_", "image_key", form)

    def _file(self, call: Call) -> Any:
        form = call.form()
        if not form["file"]:
            return 234010, "File's size can't be 0."
        types = (b"opus", b"mp4", b"pdf", b"doc", b"xls", b"ppt", b"stream")
        assert form["file_type"] in types and form["file_name"]
        return self._upload("file_", "file_key", form)

    def _upload(self, prefix: str, key: str, form: dict[str, bytes]) -> Any:
        name = self.number(prefix)
        self.uploads[name] = form
        return {key: name}

    # --- CardKit ---------------------------------------------------------------------------------

    def _make_card(self, call: Call) -> Any:
        data = json.loads(call.json["data"])
        if call.json["type"] != "card_json" or data.get("schema") != "2.0":
            return 200610, "body is nil"
        if fault := _card_fault(data):
            return 300301, fault[1]
        id = self.number("card_")
        self.cards[id] = Card(data, bool(data["config"].get("streaming_mode")))
        self.cards[id].texts.append(data["body"]["elements"][0]["content"])
        return {"card_id": id}

    def _next(self, card: Card, sequence: int) -> tuple[int, str] | None:
        if sequence <= card.sequence:
            return 300317, "sequence number compare failed"
        card.sequence = sequence
        return None

    def _stream(self, call: Call, id: str, element: str) -> Any:
        card, body = self.cards[id], call.json
        assert element == card.data["body"]["elements"][0]["element_id"] and body["content"]
        if fault := self._next(card, body["sequence"]):
            return fault
        if not card.streaming:
            return 300309, "streaming mode is closed"
        card.texts.append(body["content"])
        return {}

    def _set(self, call: Call, id: str) -> Any:
        card = self.cards[id]
        if fault := self._next(card, call.json["sequence"]):
            return fault
        config = json.loads(call.json["settings"])["config"]
        card.streaming = config["streaming_mode"]
        card.summary = config.get("summary", {}).get("content", card.summary)
        return {}

    def _replace_card(self, call: Call, id: str) -> Any:
        card = self.cards[id]
        if fault := self._next(card, call.json["sequence"]):
            return fault
        card.data = json.loads(call.json["card"]["data"])
        return {}

    # --- the long connection ---------------------------------------------------------------------

    async def _long_connection(
        self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if call.query.get("ticket") not in self._tickets:
            lines = ["HTTP/1.1 403 Forbidden", "handshake-status: 403", "handshake-msg: no ticket"]
            writer.write("\r\n".join([*lines, "content-length: 0", "", ""]).encode())
            return
        self._tickets.discard(call.query["ticket"])
        key = call.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade"]
        writer.write("\r\n".join([*lines, f"sec-websocket-accept: {accept}", "", ""]).encode())
        self._open.append(writer)
        self.connections += 1
        await self.tell()
        while True:
            opcode, data = await _read_ws(reader)
            if opcode == 8:
                writer.write(_ws_frame(data, 8))
                return
            if opcode == 9:
                writer.write(_ws_frame(data, 10))
            elif opcode == 2:
                self._take(data, writer)
            await self.tell()

    def _take(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Take a frame of the client: a ping, or the answer to an event."""
        frame = SDK.client.Frame()
        frame.ParseFromString(data)
        headers = {h.key: h.value for h in frame.headers}
        if frame.method == 0 and headers["type"] == "ping":
            assert frame.service == 7
            self.pings += 1
            frame.headers[0].value = "pong"
            frame.payload = json.dumps({"PingInterval": 120}).encode()
            writer.write(_ws_frame(frame.SerializeToString()))
            return
        id, code = headers["message_id"], json.loads(frame.payload)["code"]
        assert "biz_rt" in headers
        self.acks.append((id, code))
        if code == 200:
            self._in_flight.pop(id, None)
        elif self._tries[id] < IMMEDIATELY:
            self._send_event(id, self._in_flight[id])


def _card_fault(data: Any) -> tuple[int, str] | None:
    if data.get("schema") != "2.0" or not data["body"]["elements"]:
        return 230099, "Failed to create card content"
    if len([e for e in data["body"]["elements"] if e["tag"] == "table"]) > 1:
        return 230099, "Failed to create card content, ext=ErrCode: 11310; card table number over"
    if "![" in json.dumps(data):
        return 230099, "Failed to create card content, ext=ErrCode: 11246; invalid image"
    return None


def _texts(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for child in node for text in _texts(child)]
    if not isinstance(node, dict):
        return []
    if isinstance(node.get("content"), str):
        return [node["content"]]
    return [text for child in node.values() for text in _texts(child)]


def _ws_frame(data: bytes, opcode: int = 2) -> bytes:
    """Return one unmasked frame of the WebSocket protocol (RFC 6455)."""
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + data


async def _read_ws(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    data = await reader.readexactly(size)
    return first & 0x0F, bytes(b ^ mask[n % 4] for n, b in enumerate(data))
