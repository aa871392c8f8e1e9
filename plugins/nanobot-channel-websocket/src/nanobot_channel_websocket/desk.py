"""Reads what clients send and does it; every answer to a frame is made here."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nanobot.errors import StorageError
from nanobot.messages import Text
from nanobot.paths import private_dir
from nanobot_gateway.channel import Accepted, ChannelContext, Incoming, Verdict

from nanobot_channel_websocket import uploads
from nanobot_channel_websocket.chats import Chat, Chats, Client, is_chat_id
from nanobot_channel_websocket.downloads import Downloads
from nanobot_channel_websocket.frames import (
    LONGEST_TEXT,
    BadFrame,
    Said,
    is_request_id,
    read,
    turn_id,
)
from nanobot_channel_websocket.link import Grant, Link
from nanobot_channel_websocket.turns import Narrator

MOST_ASKED = 256
LONGEST_REQUEST_ID = 80
_ELSEWHERE = "The web UI, a distribution of its own, provides this."

Fields = Mapping[str, Any]


class Desk:
    """Serves the frames of all clients.

    Args:
        chats: Who watches what.
        narrator: Tells what happened while a message was being stored.
        downloads: Offers files to clients.
        context: Where messages go.
    """

    def __init__(
        self, chats: Chats, narrator: Narrator, downloads: Downloads, context: ChannelContext
    ) -> None:
        self._chats = chats
        self._narrator = narrator
        self._downloads = downloads
        self._context = context
        self._types: dict[str, Callable[[Client, Fields], Awaitable[None]]] = {
            "message": self._message,
            "attach": self._attach,
            "new_chat": self._new_chat,
            "ping": self._ping,
            "new_temporary_chat": self._new_temporary_chat,
            "discard_temporary_chat": self._discard_temporary_chat,
            "fork_chat": self._fork_chat,
            "set_workspace_scope": self._set_workspace_scope,
            "set_sidebar_state": self._set_sidebar_state,
            "transcribe_audio": self._transcribe_audio,
            "webui_request": self._webui_request,
        }

    def welcome(self, link: Link, grant: Grant) -> Client:
        """Give a new client a chat of its own, and tell it so."""
        client = Client(link, grant, str(uuid.uuid4()))
        chat = self._chats.attach(client, client.chat)
        assert chat is not None  # its first
        client.tell("ready", chat_id=chat.id, client_id=grant.client_id, seq=chat.seq)
        return client

    async def take(self, client: Client, raw: str | bytes) -> None:
        """Do what a frame asks for; a bad one is answered by an error and does no harm."""
        try:
            said = await read(raw)
            if said is None:
                return
            if isinstance(said, Said):
                await self._say(client, client.chat, said.text, {})
                return
            client.rich = True
            serve = self._types.get(said.type)
            if serve is None:
                shown = said.type[:80]
                client.fail(f"unknown type: {shown!r}", "The server knows no such frame.")
            else:
                await serve(client, said.fields)
        except BadFrame as error:
            client.fail(error.detail, error.text)
        except Exception:  # a fault of ours costs one frame, not the connection
            self._context.log.error("frame_failed", exc_info=True)
            client.fail("internal_error", "This failed; the log says why. Send it again.")

    # --- chats ------------------------------------------------------------------------------------

    async def _ping(self, client: Client, fields: Fields) -> None:
        client.tell("pong")

    async def _new_chat(self, client: Client, fields: Fields) -> None:
        if fields.get("workspace_scope") is not None:
            self._refuse_scope(client, {})
            return
        if "chat_id" in fields:
            client.fail("invalid chat_id", "A new chat gets its id here; attach takes a known one.")
            return
        chat = self._watch(client, str(uuid.uuid4()))
        if chat:
            client.tell("attached", chat_id=chat.id, model_preset=None, seq=chat.seq)
            client.tell("session_updated", chat_id=chat.id, scope="metadata")

    async def _attach(self, client: Client, fields: Fields) -> None:
        id, last = fields.get("chat_id"), fields.get("last_seq")
        if not is_chat_id(id):
            _no_chat(client)
            return
        if last is not None and (type(last) is not int or last < 0):
            client.fail("invalid last_seq", "last_seq is the seq of the last event seen.")
            return
        chat = self._watch(client, id)
        if chat is None:
            return
        answer: dict[str, object] = {"chat_id": id, "model_preset": None, "seq": chat.seq}
        missed = b""
        if last is not None:
            answer["gap"] = last > chat.seq or last + 1 < chat.ring.first(chat.seq + 1)
            missed = b"".join(chat.ring.after(last))
        client.tell("attached", **answer)
        if missed:
            client.link.write(missed)
        if chat.turn:
            more = {"turn_id": chat.turn.id} if chat.turn.marked else {}
            client.tell(
                "goal_status",
                chat_id=id,
                status="running",
                started_at=chat.turn.started_at,
                **more,
            )

    def _watch(self, client: Client, id: str) -> Chat | None:
        chat = self._chats.attach(client, id)
        if chat is None:
            client.fail("too_many_chats", "This connection watches too many chats.", chat_id=id)
        return chat

    # --- messages ---------------------------------------------------------------------------------

    async def _message(self, client: Client, fields: Fields) -> None:
        id, content = fields.get("chat_id"), fields.get("content")
        if not is_chat_id(id):
            _no_chat(client)
            return
        names = {"chat_id": id, **_turn_name(fields)}
        if fields.get("workspace_scope") is not None:
            self._refuse_scope(client, names)
            return
        media = fields.get("media")
        if not isinstance(content, str) or not (content.strip() or media):
            client.fail("missing content", "content is the text of the message.", **names)
            return
        if self._watch(client, id):
            await self._say(client, id, content, fields)

    async def _say(self, client: Client, id: str, text: str, fields: Fields) -> None:
        """Hand a message over, and acknowledge it once it is stored."""
        names = {"chat_id": id, **_turn_name(fields)}
        if len(text.encode("utf-8", "replace")) > LONGEST_TEXT:
            words = f"A message may have at most {LONGEST_TEXT} bytes of text."
            client.fail("message_rejected", words, reason="text_too_large", **names)
            return
        files: list[uploads.Upload] = []
        kept = False
        try:
            files = await uploads.store(fields.get("media"), private_dir(self._context.media))
            message = Incoming(
                id=turn_id(fields.get("turn_id")),
                sender=client.grant.client_id,
                chat=id,
                parts=(*([Text(text=text)] if text.strip() else []), *(f.part for f in files)),
            )
            kept = await self._accept(_Letter(client, message, text, files, fields))
        except uploads.Rejected as error:
            client.fail("attachment_rejected", error.text, reason=error.reason, **names)
        except (StorageError, OSError) as error:
            self._context.log.error("message_not_stored", reason=str(error))
            words = "The message could not be stored. Send it again, with the same turn_id."
            client.fail("storage_unavailable", words, **names)
        finally:
            if not kept:
                uploads.discard(files)

    async def _accept(self, letter: _Letter) -> bool:
        """Let the gateway decide; True if the message's files are needed."""
        id = letter.message.id
        chat = self._chats.get(letter.message.chat)
        known = id in chat.asked or (chat.turn is not None and chat.turn.id == id)
        if not known:
            chat.asked[id] = (letter.fields.get("webui") is True, letter.at)
            if len(chat.asked) > MOST_ASKED:
                chat.asked.popitem(last=False)
        chat.accepting.add(id)
        try:
            accepted = await self._context.accept(letter.message)
            self._answer(letter, chat, accepted)
        finally:
            chat.accepting.discard(id)
            held, chat.held = chat.held, []
            for update in held:
                if update.answers in chat.accepting:
                    chat.held.append(update)
                else:
                    self._narrator.tell(chat, update)
            self._chats.flush(chat)
            self._chats.forget(chat)
        return accepted.verdict in (Verdict.TURN, Verdict.JOINED)

    def _answer(self, letter: _Letter, chat: Chat, accepted: Accepted) -> None:
        """Tell the sender what became of a message, and the chat's other clients what it says."""
        id, name = letter.message.id, _turn_name(letter.fields)
        if accepted.verdict is Verdict.DENIED:
            words = "You may not write to the agent; see channels.websocket.allowFrom."
            letter.client.fail("access_denied", words, chat_id=chat.id, **name)
        if accepted.verdict in (Verdict.DENIED, Verdict.IGNORED):
            return
        again = accepted.verdict is Verdict.DUPLICATE
        turn = accepted.turn or id
        facts: dict[str, object] = {
            "turn_id": id,
            "starts_turn": accepted.verdict is Verdict.TURN or (again and turn == id),
        }
        if accepted.verdict is not Verdict.COMMAND:
            facts["active_turn_id"] = turn
        if accepted.verdict is Verdict.TURN:
            facts["started_at"] = letter.at
        elif chat.turn and chat.turn.id == turn:
            facts["started_at"] = chat.turn.started_at
        if "turn_id" in letter.fields:
            letter.client.tell("message_accepted", chat_id=chat.id, **facts)
        if not again:
            facts |= {"text": letter.text, "created_at_ms": int(letter.at * 1000)}
            if letter.files and accepted.verdict is not Verdict.COMMAND:
                facts["media_urls"] = [self._downloads.offer(file.path) for file in letter.files]
            chat.tell("user_message", facts)
            chat.flush(but=letter.client)

    # --- what the web UI provides -----------------------------------------------------------------

    async def _new_temporary_chat(self, client: Client, fields: Fields) -> None:
        if not client.grant.trusted:
            client.fail("access_denied", "Only the web UI may do this.")
            return
        client.fail("temporary_chat_unavailable", _ELSEWHERE)

    async def _discard_temporary_chat(self, client: Client, fields: Fields) -> None:
        if not is_chat_id(id := fields.get("chat_id")):
            client.fail("invalid temporary chat_id", "There is no such chat.")
            return
        client.fail("temporary_chat_unavailable", "There is no such chat.", chat_id=id)

    async def _fork_chat(self, client: Client, fields: Fields) -> None:
        index = fields.get("before_user_index")
        if not is_chat_id(fields.get("source_chat_id")):
            client.fail("invalid source_chat_id", "source_chat_id names the chat to fork.")
        elif type(index) is not int or index < 0:
            client.fail("invalid before_user_index", "before_user_index counts from 0.")
        else:
            client.fail("session_manager_unavailable", _ELSEWHERE)

    async def _set_workspace_scope(self, client: Client, fields: Fields) -> None:
        if not is_chat_id(id := fields.get("chat_id")):
            _no_chat(client)
            return
        self._refuse_scope(client, {"chat_id": id})

    @staticmethod
    def _refuse_scope(client: Client, names: Fields) -> None:
        client.fail("workspace_scope_rejected", _ELSEWHERE, reason="unavailable", **names)

    async def _set_sidebar_state(self, client: Client, fields: Fields) -> None:
        if not client.grant.trusted:
            client.fail("access_denied", "Only the web UI may do this.")
            return
        client.fail("invalid_sidebar_state", _ELSEWHERE)

    async def _transcribe_audio(self, client: Client, fields: Fields) -> None:
        request = fields.get("request_id")
        if not isinstance(request, str) or not 1 <= len(request) <= LONGEST_REQUEST_ID:
            client.tell("transcription_error", detail="invalid_request")
            return
        client.tell("transcription_error", detail="disabled", request_id=request, text=_ELSEWHERE)

    async def _webui_request(self, client: Client, fields: Fields) -> None:
        request = fields.get("request_id")
        if not is_request_id(request):
            client.fail("invalid webui request_id", "request_id names the request.")
            return
        error = {"status": 501, "message": _ELSEWHERE}
        if not client.grant.trusted:
            error = {"status": 403, "message": "access_denied"}
        client.tell("webui_response", request_id=request, ok=False, error=error)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message with what is known of it beside its content."""

    client: Client
    message: Incoming
    text: str
    files: list[uploads.Upload]
    fields: Fields
    at: float = field(default_factory=time.time)


def _turn_name(fields: Fields) -> dict[str, object]:
    """Return the client's own name for its message, to repeat in errors."""
    name = fields.get("turn_id")
    return {"turn_id": name} if is_request_id(name) else {}


def _no_chat(client: Client) -> None:
    client.fail("invalid chat_id", "chat_id has 1 to 64 of A-Z a-z 0-9 _ - : and no reserved name.")
