"""Messages on their way out: where they go, what they are made of, and their files."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path

from nanobot.log import Logger
from nanobot_gateway.channel import Outgoing

from nanobot_channel_feishu import render
from nanobot_channel_feishu.api import Api, at
from nanobot_channel_feishu.faults import BAD_CONTENT, GONE, NOT_PERMITTED, ApiError
from nanobot_channel_feishu.render import Body

_IMAGES = {".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".png", ".tiff", ".webp"}
_IMAGE_BYTES = 10_000_000
_FILE_BYTES = 30_000_000
_FILE_TYPES = {
    ".opus": "opus",
    ".mp4": "mp4",
    ".mov": "mp4",
    ".avi": "mp4",
    ".pdf": "pdf",
    ".doc": "doc",
    ".docx": "doc",
    ".xls": "xls",
    ".xlsx": "xls",
    ".ppt": "ppt",
    ".pptx": "ppt",
}
_KINDS = {"opus": "audio", "mp4": "media"}
_ID_TYPES = {"ou_": "open_id", "oc_": "chat_id", "on_": "union_id"}


class Sender:
    """Sends messages; each piece carries an id by which the platform drops a second one.

    Args:
        replies: Answer as a reply to the message that is answered.
    """

    def __init__(self, api: Api, log: Logger, *, replies: bool) -> None:
        self._api = api
        self._log = log
        self._replies = replies

    async def send(self, message: Outgoing) -> str:
        """Send a whole message and return the platform's id of its first piece.

        Raises:
            ApiError: The platform did not take it.
        """
        message = await self.prepared(message)
        first = await self.text(message) if message.text.strip() else ""
        sent = await self.files(message)
        return first or sent

    async def prepared(self, message: Outgoing) -> Outgoing:
        """Return a message whose text names the files that can not be sent, and without these."""
        refused = [(path, await asyncio.to_thread(_refusal, path)) for path in message.files]
        notes = [f"({path.name} is not attached: {reason})" for path, reason in refused if reason]
        text = "\n\n".join([message.text, *notes] if message.text.strip() else notes)
        files = tuple(path for path, reason in refused if not reason)
        return replace(message, text=text, files=files)

    async def text(self, message: Outgoing) -> str:
        """Send what a message says; as plain text if the platform can not show it better."""
        mark = {"direct": is_person(message.target.chat), "thread": message.target.thread}
        first = ""
        for number, body in enumerate(render.messages(message.text, message.buttons, mark)):
            try:
                if len(body.content.encode()) > render.CARD_BYTES and body.kind != "text":
                    raise ApiError(230025, "it is too long to be shown as a card")
                sent = await self.put(message, body, f"text {number}")
            except ApiError as error:
                if body.kind == "text" or error.code not in BAD_CONTENT | NOT_PERMITTED:
                    raise
                self._log.warning("feishu_sent_as_text", reason=str(error))
                labels = [label for row in message.buttons for label in row]
                whole = "\n\n".join([message.text, *([" / ".join(labels)] if labels else [])])
                return first or await self.put(message, render.text(whole), "plain")
            first = first or sent
        return first

    async def files(self, message: Outgoing) -> str:
        """Send the files of a message and return the platform's id of the first."""
        first = ""
        for number, path in enumerate(message.files):
            sent = await self.put(message, await self._uploaded(path), f"file {number}")
            first = first or sent
        return first

    async def put(self, message: Outgoing, body: Body, piece: str) -> str:
        """Send one message of the platform and return its id.

        Args:
            piece: Tells the pieces of one message apart, the same each time that it is tried.
        """
        whole = {
            "msg_type": body.kind,
            "content": body.content,
            "uuid": hashlib.sha256(f"{message.id}\n{piece}".encode()).hexdigest()[:40],
        }
        for anchor in self._anchors(message):
            try:
                answer = await self._api.call(
                    "POST",
                    at("im", "v1", "messages", anchor, "reply"),
                    body={**whole, "reply_in_thread": bool(message.target.thread)},
                )
            except ApiError as error:
                if error.code not in GONE:
                    raise
                self._log.info("feishu_nothing_to_reply_to", reason=str(error))
                continue
            return _id(answer)
        chat = message.target.chat
        answer = await self._api.call(
            "POST",
            "/im/v1/messages",
            query={"receive_id_type": _id_type(chat)},
            body={**whole, "receive_id": chat},
        )
        return _id(answer)

    def _anchors(self, message: Outgoing) -> list[str]:
        """Return the messages to reply to, the best first; in a topic there is always one."""
        thread = message.target.thread
        if not thread and not self._replies:
            return []
        wanted = dict.fromkeys((message.reply_to, message.answers, thread))
        return [id for id in wanted if id.startswith("om_")]

    async def _uploaded(self, path: Path) -> Body:
        """Upload a file and return the message that shows it."""
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise ApiError(-1, f"{path.name} can not be read ({error.strerror})") from None
        suffix = path.suffix.lower()
        if suffix in _IMAGES and len(data) <= _IMAGE_BYTES:
            answer = await self._api.call(
                "POST",
                "/im/v1/images",
                form={"image_type": "message"},
                file={"image": (path.name, data)},
            )
            return _body("image", "image_key", answer)
        kind = _FILE_TYPES.get(suffix, "stream")
        answer = await self._api.call(
            "POST",
            "/im/v1/files",
            form={"file_type": kind, "file_name": path.name},
            file={"file": (path.name, data)},
        )
        return _body(_KINDS.get(kind, "file"), "file_key", answer)


def is_person(chat: str) -> bool:
    """Tell whether a chat is named by the person whom the bot talks to."""
    return _id_type(chat) != "chat_id"


def _id_type(chat: str) -> str:
    if "@" in chat:
        return "email"
    return _ID_TYPES.get(chat[:3], "user_id")


def _id(answer: dict[str, object]) -> str:
    data = answer.get("data")
    return str(data.get("message_id") or "") if isinstance(data, dict) else ""


def _body(kind: str, key: str, answer: dict[str, object]) -> Body:
    data = answer.get("data")
    value = data.get(key) if isinstance(data, dict) else None
    if not value:
        raise ApiError(0, f"the platform took a file and did not say its {key}")
    return Body(kind=kind, content=json.dumps({key: value}))


def _refusal(path: Path) -> str:
    """Say why a file can not be sent, empty when it can."""
    try:
        size = path.stat().st_size
    except OSError as error:
        return f"it can not be read, {error.strerror}"
    if not path.is_file():
        return "it is no file"
    if size > _FILE_BYTES:
        return f"it is larger than {_FILE_BYTES // 1_000_000} MB"
    return "" if size else "it is empty"
